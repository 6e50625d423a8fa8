-- Take from every bucket and get every place, or leave all as it is: {microseconds to wait, which key}; 0 is granted.
-- KEYS: buckets, then places. ARGV: id, lease, number of buckets; per bucket capacity, drain, cost in parts;
-- per place its limit. Times are microseconds of this server's clock; a level is "parts moment".
local id, lease, buckets = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local levels = {}
local longest, lacking = 0, 0
local values = buckets > 0 and redis.call('MGET', unpack(KEYS, 1, buckets)) or {}

for n = 1, buckets do
  local capacity, drain, cost = tonumber(ARGV[3 * n + 1]), tonumber(ARGV[3 * n + 2]), tonumber(ARGV[3 * n + 3])
  local level = 0
  if values[n] then
    local parts, at = string.match(values[n], '^(%d+) (%d+)$')
    level = math.max(0, tonumber(parts) - math.max(0, now - tonumber(at)) * drain)
  end
  levels[n] = level + cost
  local wait = math.ceil((levels[n] - capacity) / drain)
  if wait > longest then longest, lacking = wait, n end
end

for n = buckets + 1, #KEYS do
  redis.call('ZREMRANGEBYSCORE', KEYS[n], '-inf', string.format('%.0f', now))
  local limit = tonumber(ARGV[3 + 3 * buckets + n - buckets])
  if redis.call('ZCARD', KEYS[n]) >= limit and not redis.call('ZSCORE', KEYS[n], id) then
    local first = redis.call('ZRANGE', KEYS[n], 0, 0, 'WITHSCORES')
    local wait = math.min(1000000, tonumber(first[2]) - now)
    if wait > longest then longest, lacking = wait, n end
  end
end

if longest > 0 then return { longest, lacking } end

for n = 1, buckets do
  local drain = tonumber(ARGV[3 * n + 2])
  local lasts = math.ceil(levels[n] / drain / 1000) + 1000
  redis.call('SET', KEYS[n], string.format('%.0f %.0f', levels[n], now), 'PX', string.format('%.0f', lasts))
end
for n = buckets + 1, #KEYS do
  redis.call('ZADD', KEYS[n], string.format('%.0f', now + lease), id)
  local lasts = math.ceil(lease / 1000) + 1000
  if redis.call('PTTL', KEYS[n]) < lasts then redis.call('PEXPIRE', KEYS[n], string.format('%.0f', lasts)) end
end
return { 0, 0 }
