-- The answer of a name, if it is there. KEYS: its name.
local found = redis.call('GET', KEYS[1])
if found then return { found } end
return {}
