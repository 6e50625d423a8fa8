-- Correct levels by what was really used, and free the places of a call.
-- KEYS: buckets, then places. ARGV: id, number of buckets; per bucket drain and parts to add (below 0: to give back).
local id, buckets = ARGV[1], tonumber(ARGV[2])
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]

for n = 1, buckets do
  local drain, change = tonumber(ARGV[2 * n + 1]), tonumber(ARGV[2 * n + 2])
  local level = 0
  local value = redis.call('GET', KEYS[n])
  if value then
    local parts, at = string.match(value, '^(%d+) (%d+)$')
    level = math.max(0, tonumber(parts) - math.max(0, now - tonumber(at)) * drain)
  end
  level = math.max(0, level + change)
  if level == 0 then
    redis.call('DEL', KEYS[n])
  else
    local lasts = math.ceil(level / drain / 1000) + 1000
    redis.call('SET', KEYS[n], string.format('%.0f %.0f', level, now), 'PX', string.format('%.0f', lasts))
  end
end
for n = buckets + 1, #KEYS do
  redis.call('ZREM', KEYS[n], id)
end
return 1
