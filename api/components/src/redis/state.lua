-- Applies operations on keys: all or none ("all"), or those before the first that may not happen
-- ("prefix"). Answers 0, or the number of the operation that may not happen.
--
-- KEYS: one for each operation. ARGV: the mode, then six for each operation:
--   1 "set" or "del"
--   2 the condition: "any", "absent", "version" or "free" (not under the first-write regime)
--   3 the version of the condition    4 the data
--   5 "1" to put the key under the first-write regime
--   6 the expiry: "" leaves it, "0" removes it, otherwise seconds
--
-- A value is a hash of data, version and, under the first-write regime, first-write.

local seen = {}

local function look(key)
  local known = seen[key]
  if not known then
    local reply = redis.pcall('HMGET', key, 'version', 'first-write')
    if reply.err then
      known = { exists = true, foreign = true }
    else
      local version = reply[1] or nil
      if version == '' then version = nil end
      known = {
        exists = version ~= nil or redis.call('EXISTS', key) == 1,
        version = version,
        first = version ~= nil and reply[2] ~= false,
      }
    end
    seen[key] = known
  end
  return known
end

local function holds(condition, expected, known)
  if condition == 'absent' then return not known.exists end
  if condition == 'version' then return known.version == nil or known.version == expected end
  if condition == 'free' then return not known.first end
  return true
end

local failed = 0
for i = 1, #KEYS do
  local at = 1 + (i - 1) * 6
  local known = look(KEYS[i])
  if not holds(ARGV[at + 2], ARGV[at + 3], known) then
    failed = i
    break
  end
  -- What the next operation on this key will find.
  if ARGV[at + 1] == 'set' then
    seen[KEYS[i]] = {
      exists = true,
      version = string.format('%.0f', tonumber(known.version or '0') + 1),
      first = known.first or ARGV[at + 5] == '1',
    }
  else
    seen[KEYS[i]] = { exists = false }
  end
end

local last = #KEYS
if failed > 0 then
  if ARGV[1] == 'all' then return failed end
  last = failed - 1
end

for i = 1, last do
  local at = 1 + (i - 1) * 6
  local key = KEYS[i]
  if ARGV[at + 1] == 'set' then
    -- Nothing is removed that is not there: after its first write a script is not refused for
    -- want of memory any more, and DEL is one.
    local kind = redis.call('TYPE', key).ok
    if kind ~= 'hash' and kind ~= 'none' then redis.call('DEL', key) end
    redis.call('HSET', key, 'data', ARGV[at + 4])
    if ARGV[at + 5] == '1' then redis.call('HSET', key, 'first-write', 0) end
    redis.call('HINCRBY', key, 'version', 1)
    if ARGV[at + 6] == '0' then
      redis.call('PERSIST', key)
    elseif ARGV[at + 6] ~= '' then
      redis.call('EXPIRE', key, ARGV[at + 6])
    end
  else
    redis.call('DEL', key)
  end
end
return failed
