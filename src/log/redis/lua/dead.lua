-- Effects that were given up on, by tenant.
--
-- '{pN}:dead:<tenant>' holds them by id: the log's 36 characters, then number and place as a lane's entry begins. '{pN}:dead_ids:<tenant>'
-- has the ids in their order, '{pN}:dead_at:<tenant>' by when they were buried. All three expire when the youngest is too old.

local DEAD_HORIZON = 30 * 86400000
-- A dead letter may be sent again: the records it is rendered from stay for a while.
local DEAD_KEEP = 72 * 3600000
-- How many that are too old one burial drops.
local DEAD_SWEEP = 64

-- When, leases, lengths of lane and reason; lane, reason and payload follow.
local DEAD = '>I8I4I2I2'
local DEAD_BYTES = 16

-- The keys of a tenant's dead letters, each read, so that one of a wrong type is met before the first write.
local function dead_letters(p, tenant)
  if #tenant ~= 36 then
    bad('tenant')
  end
  local dead = {all = p .. 'dead:' .. tenant, ids = p .. 'dead_ids:' .. tenant, at = p .. 'dead_at:' .. tenant}
  redis.call('HLEN', dead.all)
  redis.call('ZCARD', dead.ids)
  redis.call('ZCARD', dead.at)
  return dead
end

local function unpack_dead(value)
  local at, leases, lane, reason = 0, 0, 0, 0
  if #value >= DEAD_BYTES then
    at, leases, lane, reason = struct.unpack(DEAD, value)
  end
  if #value < DEAD_BYTES + lane + reason then
    error('NEXUS damaged: a dead letter')
  end
  local from = DEAD_BYTES + lane
  return {at = at, lane = string.sub(value, DEAD_BYTES + 1, from), payload = string.sub(value, from + reason + 1)}
end

local function remove_dead(dead, id)
  redis.call('HDEL', dead.all, id)
  redis.call('ZREM', dead.ids, id)
  redis.call('ZREM', dead.at, id)
end

-- One that is there and not too old; nil otherwise.
local function find_dead(dead, id, now)
  local value = redis.call('HGET', dead.all, id)
  local found = value and unpack_dead(value)
  return found and now - found.at < DEAD_HORIZON and found or nil
end

-- Drops the oldest: those too many, and of those too old as many as one call may. Returns how many.
local function drop_oldest(dead, most, now)
  local gone = {}
  local over = redis.call('ZCARD', dead.at) - most
  if over > 0 then
    gone = redis.call('ZRANGE', dead.at, 0, over - 1)
  else
    gone = redis.call('ZRANGEBYSCORE', dead.at, '-inf', now - DEAD_HORIZON, 'LIMIT', 0, DEAD_SWEEP)
  end
  for _, id in ipairs(gone) do
    remove_dead(dead, id)
  end
  return #gone
end

-- args: lane, number and place as an entry begins, tenant, reason, how many a tenant may have here. How many were dropped for it.
define('bury', {}, function(p, args)
  local lane, which, reason, most, now = args[3], args[4], args[6], tonumber(args[7]), now_ms()
  if #lane < 36 or #which ~= 10 or not reason or not most then
    bad('burial')
  end
  local log, key = string.sub(lane, 1, 36), lane_key(p, lane)
  local at, entry = find_effect(key, which)
  local dead = dead_letters(p, args[5])
  if not entry then
    return 0
  end
  local leases = struct.unpack('>I4', string.sub(entry, 19, 22))
  local name = string.sub(lane, 37)
  local value = struct.pack(DEAD, now, leases, #name, #reason) .. name .. reason .. string.sub(entry, 23)
  redis.call('ZCARD', p .. 'fx')
  local keep = keeper(p, log, now + DEAD_KEEP, now + DEAD_KEEP)

  -- From here on it writes.
  leave_lane(p, lane, at, entry, now)
  redis.call('HSET', dead.all, log .. which, value)
  redis.call('ZADD', dead.ids, 0, log .. which)
  redis.call('ZADD', dead.at, now, log .. which)
  local dropped = drop_oldest(dead, most, now)
  for _, each in pairs(dead) do
    redis.call('PEXPIREAT', each, now + DEAD_HORIZON)
  end
  keep()
  return dropped
end)

-- args: tenant, the id after which to begin or nothing, how many. Two values a dead letter: its id, and as it is stored.
define('dead', {'no-writes'}, function(p, args)
  local dead, limit, now, out = dead_letters(p, args[3]), tonumber(args[5]), now_ms(), {}
  local from = args[4] == '' and '-' or '(' .. args[4]
  while #out < 2 * limit do
    local ids = redis.call('ZRANGEBYLEX', dead.ids, from, '+', 'LIMIT', 0, limit - #out / 2)
    for _, id in ipairs(ids) do
      local value = redis.call('HGET', dead.all, id)
      if value and now - unpack_dead(value).at < DEAD_HORIZON then
        out[#out + 1] = id
        out[#out + 1] = value
      end
      from = '(' .. id
    end
    if #ids == 0 then
      break
    end
  end
  return out
end)

-- args: tenant.
define('dead_count', {'no-writes'}, function(p, args)
  return redis.call('ZCOUNT', p .. 'dead_at:' .. args[3], '(' .. now_ms() - DEAD_HORIZON, '+inf')
end)

-- args: tenant, id. 1 if it was there.
define('replay', {}, function(p, args)
  local dead, id, now = dead_letters(p, args[3]), args[4], now_ms()
  if #id ~= 46 then
    bad('effect')
  end
  local found = find_dead(dead, id, now)
  if not found then
    return 0
  end
  local log, which = string.sub(id, 1, 36), string.sub(id, 37)
  local key = lane_key(p, log .. found.lane)
  local waiting = redis.call('LLEN', key)
  redis.call('ZCARD', p .. 'fx')
  local keep = keeper(p, log, now + DEAD_KEEP, now + DEAD_KEEP)

  -- From here on it writes.
  remove_dead(dead, id)
  redis.call('RPUSH', key, which .. struct.pack('>I8I4', now, 0) .. found.payload)
  if waiting == 0 then
    redis.call('ZADD', p .. 'fx', now, log .. found.lane)
  end
  keep()
  return 1
end)

-- args: tenant, id. 1 if it was there.
define('discard', {}, function(p, args)
  local dead = dead_letters(p, args[3])
  if not find_dead(dead, args[4], now_ms()) then
    return 0
  end
  remove_dead(dead, args[4])
  return 1
end)
