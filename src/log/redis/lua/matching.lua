-- The matching tables of a tenant, in the partition of the tenant.
--
-- '{pN}:q:<tenant>:' is followed by: wait (session -> JSON), order (all that wait, in order of turn), queue:<queue> (the same, one
-- queue), desk (desk -> JSON, those with a free place only), known (log -> number of the newest write), gone (log by when it
-- left), took:<queue> (times of the last assignments). A write older than what is known changes nothing.

local DEPARTED = 3600000
local WINDOW = 15 * 60000
local MIN_SAMPLES, MAX_SAMPLES = 5, 1024
local LOOK = 128

-- Sorts bytewise by priority down, since up, session.
local function turn(session)
  return struct.pack('>I4I8', 4294967295 - session.priority, session.since) .. session.session
end

local function is_news(t, log, n)
  local known = redis.call('HGET', t .. 'known', log)
  return not known or n >= tonumber(known)
end

local function stop_waiting(t, session)
  local json = redis.call('HGET', t .. 'wait', session)
  if not json then
    return nil
  end
  local was = cjson.decode(json)
  redis.call('HDEL', t .. 'wait', session)
  redis.call('ZREM', t .. 'order', turn(was))
  redis.call('ZREM', t .. 'queue:' .. was.queue, turn(was))
  return was
end

local function depart(t, log, now)
  redis.call('ZADD', t .. 'gone', now, log)
end

local function forget_departed(t, now)
  for _, log in ipairs(redis.call('ZRANGEBYSCORE', t .. 'gone', '-inf', '(' .. now - DEPARTED, 'LIMIT', 0, LOOK)) do
    redis.call('ZREM', t .. 'gone', log)
    redis.call('HDEL', t .. 'known', log)
  end
end

local function sample(t, queue, now)
  local took = t .. 'took:' .. queue
  redis.call('RPUSH', took, now)
  redis.call('LTRIM', took, -MAX_SAMPLES, -1)
  redis.call('PEXPIRE', took, WINDOW)
end

local function set_of(list)
  local set = {}
  for _, value in ipairs(list) do
    set[value] = true
  end
  return set
end

local function free_places(desk, media)
  for _, place in ipairs(desk.free) do
    if place[1] == media then
      return place[2]
    end
  end
  return 0
end

local function free_somewhere(desk)
  for _, place in ipairs(desk.free) do
    if place[2] > 0 then
      return true
    end
  end
  return false
end

local function admits(desk, session)
  if free_places(desk, session.media) <= 0 or not desk.queue_set[session.queue] then
    return false
  end
  for _, skill in ipairs(session.skills) do
    if not desk.skill_set[skill] then
      return false
    end
  end
  return true
end

-- Whether `a` is asked before `b`: one that has not said no, the preferred one, the one idle longest, ties by id.
local function before(a, b)
  if a.avoided ~= b.avoided then
    return b.avoided
  end
  if a.preferred ~= b.preferred then
    return a.preferred
  end
  if a.desk.idle_since ~= b.desk.idle_since then
    return a.desk.idle_since < b.desk.idle_since
  end
  return a.desk.desk < b.desk.desk
end

local function choose(desks, session)
  local avoid, best = set_of(session.avoid), nil
  for _, desk in ipairs(desks) do
    if admits(desk, session) then
      local candidate = {desk = desk, avoided = avoid[desk.desk] or false, preferred = session.prefer == desk.desk}
      if not best or before(candidate, best) then
        best = candidate
      end
    end
  end
  return best and best.desk
end

-- The first session in turn that any desk admits; what no desk admits once, none admits for the next session with the same wish.
local function best_pair(t)
  local waiting = redis.call('ZCARD', t .. 'order')
  if waiting == 0 then
    return false
  end
  local desks, hopeless = {}, {}
  for _, json in ipairs(redis.call('HVALS', t .. 'desk')) do
    local desk = cjson.decode(json)
    desk.queue_set, desk.skill_set = set_of(desk.queues), set_of(desk.skills)
    desks[#desks + 1] = desk
  end
  if #desks == 0 then
    return false
  end
  for from = 0, waiting - 1, LOOK do
    local sessions = {'HMGET', t .. 'wait'}
    for _, member in ipairs(redis.call('ZRANGE', t .. 'order', from, from + LOOK - 1)) do
      sessions[#sessions + 1] = string.sub(member, 13)
    end
    for _, json in ipairs(redis.call(unpack(sessions))) do
      local session = json and cjson.decode(json)
      if session then
        local wish = cjson.encode({session.queue, session.media, session.skills})
        if not hopeless[wish] then
          local desk = choose(desks, session)
          if desk then
            return {session.session, desk.desk, desk.agent}
          end
          hopeless[wish] = true
        end
      end
    end
  end
  return false
end

-- Where a session waits, if it does.
local function queue_of(t, session)
  local json = session and redis.call('HGET', t .. 'wait', session)
  return json and cjson.decode(json).queue
end

-- Reads every table, so that one of a wrong type is met before the first write.
local function check(t, queue)
  redis.call('HLEN', t .. 'wait')
  redis.call('ZCARD', t .. 'order')
  redis.call('HLEN', t .. 'desk')
  redis.call('ZCARD', t .. 'gone')
  if queue then
    redis.call('ZCARD', t .. 'queue:' .. queue)
    redis.call('LLEN', t .. 'took:' .. queue)
  end
end

local APPLY = {
  wait = function(t, op, json, now)
    if is_news(t, op.session, op.n) then
      stop_waiting(t, op.session)
      redis.call('HSET', t .. 'known', op.session, op.n)
      redis.call('ZREM', t .. 'gone', op.session)
      redis.call('HSET', t .. 'wait', op.session, json)
      redis.call('ZADD', t .. 'order', 0, turn(op))
      redis.call('ZADD', t .. 'queue:' .. op.queue, 0, turn(op))
    end
  end,
  unwait = function(t, op, _, now)
    if is_news(t, op.session, op.n) then
      redis.call('HSET', t .. 'known', op.session, op.n)
      local was = stop_waiting(t, op.session)
      if was and op.assigned then
        sample(t, was.queue, now)
      end
      depart(t, op.session, now)
    end
  end,
  ready = function(t, op, json)
    if is_news(t, op.desk, op.n) then
      redis.call('HSET', t .. 'known', op.desk, op.n)
      redis.call('ZREM', t .. 'gone', op.desk)
      if free_somewhere(op) then
        redis.call('HSET', t .. 'desk', op.desk, json)
      else
        redis.call('HDEL', t .. 'desk', op.desk)
      end
    end
  end,
  unready = function(t, op, _, now)
    if is_news(t, op.desk, op.n) then
      redis.call('HSET', t .. 'known', op.desk, op.n)
      redis.call('HDEL', t .. 'desk', op.desk)
      depart(t, op.desk, now)
    end
  end,
}

-- args: tenant, the operation as JSON.
define('match', {}, function(p, args)
  local t, op, now = p .. 'q:' .. args[3] .. ':', cjson.decode(args[4]), now_ms()
  local apply = APPLY[op.op]
  if not apply then
    bad('matching operation')
  end
  check(t, op.queue or queue_of(t, op.session))
  forget_departed(t, now)
  apply(t, op, args[4], now)
  return best_pair(t)
end)

define('best', {'no-writes'}, function(p, args)
  return best_pair(p .. 'q:' .. args[3] .. ':')
end)

-- args: tenant, queue, session. Position, and the mean time between assignments or -1.
define('rank', {'no-writes'}, function(p, args)
  local t, now = p .. 'q:' .. args[3] .. ':', now_ms()
  local json = redis.call('HGET', t .. 'wait', args[5])
  if not json then
    return false
  end
  local session = cjson.decode(json)
  local rank = redis.call('ZRANK', t .. 'queue:' .. args[4], turn(session))
  if session.queue ~= args[4] or not rank then
    return false
  end
  local samples, first, last = 0, nil, nil
  for _, at in ipairs(redis.call('LRANGE', t .. 'took:' .. args[4], 0, -1)) do
    at = tonumber(at)
    if now - at <= WINDOW then
      first, last, samples = first or at, at, samples + 1
    end
  end
  local mean = -1
  if samples >= MIN_SAMPLES then
    mean = math.floor((last - first) / (samples - 1))
  end
  return {rank + 1, mean}
end)
