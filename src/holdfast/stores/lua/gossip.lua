-- Leave news for peers and hear theirs: {latest number, then per news subject, word, age, rest, openings}.
-- KEYS: news by subject, latest number. ARGV: worker, number heard last, number of news kept, milliseconds that they
-- are kept; per news subject, word, age, rest, openings. Ages and rests are microseconds, a rest of -1 has no end.
-- An entry is "number worker word at until forgotten openings", by this server's clock.
local worker, since, limit, keep = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local latest = tonumber(redis.call('GET', KEYS[2]) or '0')
local before = latest
local whole = '%.0f'

local function read(entry)
  local number, from, word, at, til, forgotten, openings =
    string.match(entry, '^(%d+) (%S+) (%l+) (%d+) (%-?%d+) (%d+) (%d+)$')
  return tonumber(number), from, word, tonumber(at), tonumber(til), tonumber(forgotten), tonumber(openings)
end

for n = 5, #ARGV, 5 do
  local subject, word, at, rest = ARGV[n], ARGV[n + 1], now - tonumber(ARGV[n + 2]), tonumber(ARGV[n + 3])
  local known = redis.call('HGET', KEYS[1], subject)
  local seen = known and select(4, read(known))
  if not seen or seen <= at then
    -- Numbers go on with the time, so that a server which lost everything does not count from one again.
    latest = math.max(now, latest + 1)
    local lasts = keep * 1000
    if rest >= 0 then lasts = math.min(lasts, rest) end
    local til = rest < 0 and '-1' or string.format(whole, now + rest)
    redis.call('HSET', KEYS[1], subject, table.concat({
      string.format(whole, latest), worker, word, string.format(whole, at), til,
      string.format(whole, now + lasts), ARGV[n + 4] }, ' '))
  end
end
if latest > before then
  redis.call('SET', KEYS[2], string.format(whole, latest), 'PX', 2 * keep)
  redis.call('PEXPIRE', KEYS[1], 2 * keep)
end

if latest < since then since = 0 end
if latest == since then return { latest } end

local heard, kept = { latest }, {}
local all = redis.call('HGETALL', KEYS[1])
for n = 1, #all, 2 do
  local number, from, word, at, til, forgotten, openings = read(all[n + 1])
  if not number or forgotten <= now then
    redis.call('HDEL', KEYS[1], all[n])
  else
    kept[#kept + 1] = { number, all[n] }
    if number > since and from ~= worker then
      local rest = til < 0 and -1 or til - now
      for _, value in ipairs({ all[n], word, now - at, rest, openings }) do heard[#heard + 1] = value end
    end
  end
end
if #kept > limit then
  table.sort(kept, function(a, b) return a[1] < b[1] end)
  for n = 1, #kept - limit do redis.call('HDEL', KEYS[1], kept[n][2]) end
end
return heard
