-- What sending outwards needs beside the dead letters: references and opt-outs.
--
-- '{pN}:ref:<key>' is a log's 36 characters and a number. '{pN}:out' is the set of peers that want to hear nothing from us; it never
-- expires.

-- args: key, the log's 36 characters, number, milliseconds.
define('refer', {}, function(p, args)
  if #args[4] ~= 36 or not tonumber(args[5]) then
    bad('reference')
  end
  redis.call('SET', p .. 'ref:' .. args[3], args[4] .. args[5], 'PX', args[6])
  return 0
end)

-- args: key. The log's 36 characters and the number.
define('referred', {'no-writes'}, function(p, args)
  return redis.call('GET', p .. 'ref:' .. args[3])
end)

-- args: peer. 1 if it is opted out.
define('opted', {'no-writes'}, function(p, args)
  return redis.call('SISMEMBER', p .. 'out', args[3])
end)

-- args: peer, 1 for out or 0 for in.
define('opt', {}, function(p, args)
  return redis.call(args[4] == '1' and 'SADD' or 'SREM', p .. 'out', args[3])
end)
