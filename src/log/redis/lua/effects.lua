-- Effects by lane, timers, liveness.
--
-- '{pN}:fx' holds every lane with something in it by when its first effect may be leased; a member is the log's 36 characters and
-- the lane. '{pN}:l:<log>:<lane>' is the lane.

local function lane_key(p, lane)
  return p .. 'l:' .. string.sub(lane, 1, 36) .. ':' .. string.sub(lane, 37)
end

-- Where an effect is in its lane, and its entry; it mostly is the first.
local function find_effect(key, which)
  local first = redis.call('LINDEX', key, 0)
  if first and string.sub(first, 1, 10) == which then
    return 1, first
  end
  for at, entry in ipairs(first and redis.call('LRANGE', key, 0, -1) or {}) do
    if string.sub(entry, 1, 10) == which then
      return at, entry
    end
  end
end

-- Takes an entry out of its lane, whose next is due at once.
local function leave_lane(p, lane, at, entry, now)
  local key = lane_key(p, lane)
  redis.call('LREM', key, 1, entry)
  local next_up = redis.call('LINDEX', key, 0)
  if not next_up then
    redis.call('ZREM', p .. 'fx', lane)
  elseif at == 1 then
    redis.call('ZADD', p .. 'fx', math.max(now, (struct.unpack('>I8', string.sub(next_up, 11, 18)))), lane)
  end
end

-- An effect is rendered from its log's records: while it is tried, they stay.
local RETRY_KEEP = 12 * 3600000

-- Reads what keeping a log writes if it expires before `least`; returns what lets it expire at `expires`.
local function keeper(p, log, least, expires)
  local at = head(p, log)
  if not at or at.expires >= least then
    return function() end
  end
  local peers = {}
  if at.peers ~= '' then
    for _, peer in ipairs(cmsgpack.unpack(at.peers)) do
      if redis.call('GET', p .. 'peer:' .. peer) == log then
        peers[#peers + 1] = p .. 'peer:' .. peer
      end
    end
  end
  return function()
    at.expires = expires
    write_head(p, log, at)
    redis.call('PEXPIREAT', p .. 's:' .. log, expires)
    if at.erased then
      redis.call('PEXPIREAT', p .. 'x:' .. log, expires)
    end
    for _, peer in ipairs(peers) do
      redis.call('PEXPIREAT', peer, expires)
    end
  end
end

-- args: how many, lease in milliseconds. Two values a lane: the lane, its first entry.
define('lease', {}, function(p, args)
  local now, out = now_ms(), {}
  for _, lane in ipairs(redis.call('ZRANGEBYSCORE', p .. 'fx', '-inf', now, 'LIMIT', 0, args[3])) do
    local key = lane_key(p, lane)
    local first = redis.call('LINDEX', key, 0)
    if first then
      local leases = struct.unpack('>I4', string.sub(first, 19, 22))
      first = string.sub(first, 1, 18) .. struct.pack('>I4', math.min(leases + 1, 4294967295)) .. string.sub(first, 23)
      redis.call('LSET', key, 0, first)
      redis.call('ZADD', p .. 'fx', now + tonumber(args[4]), lane)
      out[#out + 1] = lane
      out[#out + 1] = first
    else
      redis.call('ZREM', p .. 'fx', lane)
    end
  end
  return out
end)

-- args: lane, number and place as an entry begins. The appending node may be done with one that is not the first yet.
define('complete', {}, function(p, args)
  local at, entry = find_effect(lane_key(p, args[3]), args[4])
  if not entry then
    return 0
  end
  redis.call('ZCARD', p .. 'fx')
  leave_lane(p, args[3], at, entry, now_ms())
  return 1
end)

-- args: lane, number and place as an entry begins, lease in milliseconds. 1 for the first of its lane that was never leased.
define('claim', {}, function(p, args)
  local key = lane_key(p, args[3])
  local first = redis.call('LINDEX', key, 0)
  if not first or string.sub(first, 1, 10) ~= args[4] or struct.unpack('>I4', string.sub(first, 19, 22)) ~= 0 then
    return 0
  end
  local until_ms = now_ms() + tonumber(args[5])
  redis.call('LSET', key, 0, string.sub(first, 1, 18) .. struct.pack('>I4', 1) .. string.sub(first, 23))
  redis.call('ZADD', p .. 'fx', until_ms, args[3])
  return 1
end)

-- args: lane, number and place as an entry begins, wait in milliseconds.
define('retry', {}, function(p, args)
  local first = redis.call('LINDEX', lane_key(p, args[3]), 0)
  if not first or string.sub(first, 1, 10) ~= args[4] then
    return 0
  end
  local at = now_ms() + tonumber(args[5])
  redis.call('ZCARD', p .. 'fx')
  local keep = keeper(p, string.sub(args[3], 1, 36), at + RETRY_KEEP, at + 2 * RETRY_KEEP)
  redis.call('ZADD', p .. 'fx', at, args[3])
  keep()
  return 1
end)

-- args: how many. Two values a timer: the log's 36 characters and its name, and when it was due. A log that has expired has no timers.
define('due', {}, function(p, args)
  local due, out = redis.call('ZRANGEBYSCORE', p .. 't', '-inf', now_ms(), 'WITHSCORES', 'LIMIT', 0, args[3]), {}
  for i = 1, #due, 2 do
    if redis.call('EXISTS', p .. 'h:' .. string.sub(due[i], 1, 36)) == 1 then
      out[#out + 1] = due[i]
      out[#out + 1] = tonumber(due[i + 1])
    else
      redis.call('ZREM', p .. 't', due[i])
    end
  end
  return out
end)

-- args: milliseconds, logs.
define('renew', {}, function(p, args)
  local deadline = now_ms() + tonumber(args[3])
  for i = 4, #args do
    redis.call('ZADD', p .. 'alive', deadline, args[i])
  end
  return 0
end)

-- args: how many.
define('lapsed', {'no-writes'}, function(p, args)
  return redis.call('ZRANGEBYSCORE', p .. 'alive', '-inf', now_ms(), 'LIMIT', 0, args[3])
end)

-- How many lanes have something in them.
define('backlog', {'no-writes'}, function(p)
  return redis.call('ZCARD', p .. 'fx')
end)
