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

local function is_ours(keys, args)
  return redis.call('GET', keys[1]) == args[2]
end

-- The partitions that are open, by KEYS[1]. This is no data: a server that has begun anew, or has just become a master, knows none,
-- and says 'B' to every call until the nodes have put back what it may have lost (fence.lua).
local open = {}

local function register_unfenced(name, flags, callback)
  redis.register_function{function_name = 'nexus_3_' .. name, flags = flags, callback = callback}
end

local function register(name, flags, callback)
  register_unfenced(name, flags, function(keys, args)
    if not open[keys[1]] then
      return {args[1], is_ours(keys, args) and 'B' or 'W'}
    end
    return callback(keys, args)
  end)
end

-- A function that is only for data of this store.
local function guarded(act)
  return function(keys, args)
    if not is_ours(keys, args) then
      return {args[1], 'W'}
    end
    return {args[1], act(string.sub(keys[1], 1, -6), args)}
  end
end

local function define(name, flags, act)
  register(name, flags, guarded(act))
end

local function define_unfenced(name, flags, act)
  register_unfenced(name, flags, guarded(act))
end

-- The head of a log is one string: number and hash of the top; 1 for closed, 2 for erased bodies; number of the last snapshot; number
-- and hash before the oldest record; when it expires; the peers whose open session it may be, packed.
local HEAD = '>I8c8BI8I8c8I8'
local HEAD_BYTES = 49

-- Where a log stands: nil if it does not exist or has expired.
local function head(p, log)
  local packed = redis.call('GET', p .. 'h:' .. log)
  if not packed then
    return nil
  end
  if #packed < HEAD_BYTES then
    error('NEXUS damaged: the head of ' .. log)
  end
  local n, hash, flags, snapshot, base, base_hash, expires = struct.unpack(HEAD, packed)
  return {
    n = n, hash = hash, closed = flags % 2 == 1, erased = flags >= 2, snapshot = snapshot,
    base = base, base_hash = base_hash, expires = expires, peers = string.sub(packed, HEAD_BYTES + 1)
  }
end

local function write_head(p, log, at)
  local flags = (at.closed and 1 or 0) + (at.erased and 2 or 0)
  local packed = struct.pack(HEAD, at.n, at.hash, flags, at.snapshot, at.base, at.base_hash, at.expires)
  redis.call('SET', p .. 'h:' .. log, packed .. at.peers, 'PXAT', at.expires)
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
