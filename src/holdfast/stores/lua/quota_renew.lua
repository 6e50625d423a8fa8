-- Keep the places of a call for another lease; one that is lost or given back stays so.
-- KEYS: places. ARGV: id, lease in microseconds.
local id, lease = ARGV[1], tonumber(ARGV[2])
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]

for n = 1, #KEYS do
  local ends = redis.call('ZSCORE', KEYS[n], id)
  if ends and tonumber(ends) > now then
    redis.call('ZADD', KEYS[n], string.format('%.0f', now + lease), id)
    local lasts = math.ceil(lease / 1000) + 1000
    if redis.call('PTTL', KEYS[n]) < lasts then redis.call('PEXPIRE', KEYS[n], string.format('%.0f', lasts)) end
  end
end
return 1
