"""The scripts of the vault in Redis: each is one atomic step.

Rules:
* A script that finds another vault than the one that its caller knows answers `HAUBERK-LOST`; one
  that would hold too many values, `HAUBERK-FULL`.
"""

from __future__ import annotations

OPEN = """
-- The random name of a vault and what says whose it is; made by the first who comes.
redis.call('HSETNX', KEYS[1], 'label', ARGV[1])
if redis.call('HGET', KEYS[1], 'label') == ARGV[1] then
  redis.call('HSETNX', KEYS[1], 'bond', ARGV[2])
end
return redis.call('HMGET', KEYS[1], 'label', 'bond', 'owner')
"""

NAMES = """
-- KEYS: meta, names, values, kinds, ends. ARGV: label, now, limit, then for each value: type,
-- end (or ''), number of marks, marks. Gives for each value its pseudonym and whether it has a value.
local label = redis.call('HGET', KEYS[1], 'label')
if label ~= ARGV[1] then return redis.error_reply('HAUBERK-LOST') end
for _, name in ipairs(redis.call('ZRANGEBYSCORE', KEYS[5], '-inf', ARGV[2])) do
  local mark = redis.call('HGET', KEYS[4], 'm' .. name)
  if mark then redis.call('HDEL', KEYS[2], mark) end
  redis.call('HDEL', KEYS[3], name)
  redis.call('HDEL', KEYS[4], name, 'm' .. name)
  redis.call('ZREM', KEYS[5], name)
end
local found, fresh, at = {}, {}, 4
while at <= #ARGV do
  local one = {kind = ARGV[at], ends = ARGV[at + 1], mark = ARGV[at + 3]}
  local count = tonumber(ARGV[at + 2])
  for index = 1, count do
    one.name = one.name or redis.call('HGET', KEYS[2], ARGV[at + 2 + index]) or nil
  end
  one.name = one.name or fresh[one.mark]
  if not one.name then fresh[one.mark] = true end
  if one.name == true then one.name = nil end
  found[#found + 1] = one
  at = at + 3 + count
end
local new = 0
for _ in pairs(fresh) do new = new + 1 end
if redis.call('HLEN', KEYS[2]) + new > tonumber(ARGV[3]) then
  return redis.error_reply('HAUBERK-FULL')
end
local result = {}
for _, one in ipairs(found) do
  if not one.name then
    if fresh[one.mark] == true then
      local number = redis.call('HINCRBY', KEYS[1], 'n' .. one.kind, 1)
      fresh[one.mark] = '<' .. one.kind .. '_' .. number .. '>'
      redis.call('HSET', KEYS[2], one.mark, fresh[one.mark])
      redis.call('HSET', KEYS[4], fresh[one.mark], one.kind, 'm' .. fresh[one.mark], one.mark)
    end
    one.name = fresh[one.mark]
  end
  if one.ends ~= '' then redis.call('ZADD', KEYS[5], one.ends, one.name) end
  result[#result + 1] = one.name
  result[#result + 1] = redis.call('HEXISTS', KEYS[3], one.name)
  result[#result + 1] = redis.call('HGET', KEYS[4], one.name)
end
return result
"""

FORGET = """
-- KEYS: meta, names, values, kinds, ends. ARGV: marks, or nothing for all of them.
local gone, marks = 0, ARGV
if #marks == 0 then marks = redis.call('HKEYS', KEYS[2]) end
for _, mark in ipairs(marks) do
  local name = redis.call('HGET', KEYS[2], mark)
  if name then
    gone = gone + redis.call('HDEL', KEYS[3], name)
    redis.call('HDEL', KEYS[2], mark)
    redis.call('HDEL', KEYS[4], name, 'm' .. name)
    redis.call('ZREM', KEYS[5], name)
  end
end
return gone
"""
