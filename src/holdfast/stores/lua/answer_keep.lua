-- Keep an answer for a while. KEYS: its name. ARGV: the answer, milliseconds.
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return {}
