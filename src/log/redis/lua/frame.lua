-- What every function shares: entry, time, the head of a log.
--
-- KEYS[1] is '{pN}:store', KEYS[2] is '{pN}:whole'. All other keys of a call begin with the same '{pN}:', so they are in the same
-- slot. '{pN}:whole' is never written: while a cluster moves the slot, a command that names one key that is there and one that
-- is not is turned away by Redis before it runs, so that no function ever sees half of a partition.
--
-- ARGV[1] is a nonce that the answer repeats, ARGV[2] the identity of the store; data that is not of this store is never touched.
--
-- Functions do not undo. Each reads every key that it will write before its first write (a key of a wrong type ends it there),
-- and nothing after the first write may fail.

local ZERO = '\0\0\0\0\0\0\0\0'

local function now_ms()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

local function define(name, flags, act)
  redis.register_function{
    function_name = 'nexus_1_' .. name,
    flags = flags,
    callback = function(keys, args)
      if redis.call('GET', keys[1]) ~= args[2] then
        return {args[1], 'W'}
      end
      return {args[1], act(string.sub(keys[1], 1, -6), args)}
    end
  }
end

-- Where a log stands: nil if it does not exist or has expired.
local function head(p, log)
  local m = redis.call('HMGET', p .. 'h:' .. log, 'n', 'h', 'c', 's', 'b', 'bh', 'x', 'p')
  if not m[1] then
    return nil
  end
  return {
    n = tonumber(m[1]), hash = m[2], closed = m[3], snapshot = tonumber(m[4] or 0),
    base = tonumber(m[5] or 0), base_hash = m[6] or ZERO, erased = m[7], peers = m[8]
  }
end

local function id(n)
  return string.format('%.0f-0', n)
end

-- The open session of a peer, with its head.
local function open_session(p, peer)
  local log = redis.call('GET', p .. 'peer:' .. peer)
  if not log then
    return nil
  end
  local at = head(p, log)
  if not at or at.closed then
    return nil
  end
  return log, at
end
