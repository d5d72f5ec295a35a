-- Reads keys. Answers for each, in order: data and version, each false if there is none, or a third
-- text, which says why the key cannot be read. Ends with the first value that takes the sum of the
-- lengths over the limit.
--
-- KEYS: the keys. ARGV: the limit in bytes.

local room = tonumber(ARGV[1])
local answers = {}
for i, key in ipairs(KEYS) do
  local entry = redis.pcall('HMGET', key, 'data', 'version')
  if entry.err then
    -- Not a hash: a plain string is data without a version.
    local text = redis.pcall('GET', key)
    if type(text) == 'table' then
      entry = { false, false, text.err }
    else
      entry = { text, false }
    end
  end
  answers[i] = entry
  room = room - #(entry[1] or '') - #(entry[2] or '')
  if room < 0 then break end
end
return answers
