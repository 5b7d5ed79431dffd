-- The fence after a restart or a fail-over: nothing is read or written before everybody who may hold lost appends has put them back.

-- Who holds appends and does not come is waited for this long, in milliseconds, from the first who came.
local GRACE = 3000

-- Partitions that are being mended, by KEYS[1]: since when, and who is done.
local mending = {}

-- args: who holds appends of this store, and for how long unless it says so again; 0 ends it. Kept in the first partition.
define_unfenced('hold', {}, function(p, args)
  local key, now, ttl = p .. 'holders', now_ms(), tonumber(args[4])
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now)
  if ttl > 0 then
    redis.call('ZADD', key, now + ttl, args[3])
  else
    redis.call('ZREM', key, args[3])
  end
  return redis.call('ZCARD', key)
end)

define_unfenced('holders', {'no-writes'}, function(p)
  return redis.call('ZRANGEBYSCORE', p .. 'holders', '(' .. now_ms(), '+inf')
end)

-- args: who has put back what this partition lost, then all who hold appends. 1 when the partition is open.
register_unfenced('mended', {'no-writes'}, function(keys, args)
  local key, now = keys[1], now_ms()
  if not is_ours(keys, args) then
    return {args[1], 'W'}
  end
  if open[key] then
    return {args[1], 1}
  end
  local at = mending[key] or {since = now, done = {}}
  mending[key] = at
  at.done[args[3]] = true
  local all = true
  for i = 4, #args do
    all = all and at.done[args[i]]
  end
  if all or now - at.since >= GRACE then
    open[key], mending[key] = true, nil
    return {args[1], 1}
  end
  return {args[1], 0}
end)
