-- What is not about one log: living nodes, spent tokens.

-- args: node, level, milliseconds. Two values a living node: node and level.
define('announce', {}, function(p, args)
  local now = now_ms()
  local until_key, level_key = p .. 'nodes', p .. 'levels'
  redis.call('HLEN', level_key)
  for _, gone in ipairs(redis.call('ZRANGEBYSCORE', until_key, '-inf', now)) do
    redis.call('ZREM', until_key, gone)
    redis.call('HDEL', level_key, gone)
  end
  redis.call('ZADD', until_key, now + tonumber(args[5]), args[3])
  redis.call('HSET', level_key, args[3], args[4])
  local out = {}
  for _, node in ipairs(redis.call('ZRANGE', until_key, 0, -1)) do
    out[#out + 1] = node
    out[#out + 1] = tonumber(redis.call('HGET', level_key, node))
  end
  return out
end)

-- args: token, milliseconds. 1 for exactly one caller.
define('spend', {}, function(p, args)
  return redis.call('SET', p .. 'spent:' .. args[3], '1', 'PX', args[4], 'NX') and 1 or 0
end)
