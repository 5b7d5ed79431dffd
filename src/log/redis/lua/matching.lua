-- The matching tables of a tenant, in the partition of the tenant.
--
-- '{pN}:q:<tenant>:' is followed by: wait (session -> JSON), queue:<queue> (who waits there, in order of turn), desk (desk -> JSON,
-- those with a free place only), known (log -> number of the newest write), gone (log by when it left), took:<queue> (times of the
-- last assignments). A write older than what is known changes nothing.
--
-- Who may be named in a pair stands in wish:<wish> (sessions alike in what they wish, in order of turn; wishes: all of them, but those for
-- one agent are in wishes:<agent>, and such agents in wished) and in idle:<media>:<class> (desks alike in what they can do, by how long they
-- are idle; classes:<media>: all of them; of: the desk of each agent), so that finding a pair costs the same however many wait or are
-- ready. Who was named is in held, by when that ends, and not there; so is a session for which a desk is being asked.

local DEPARTED = 3600000
local HOLD = 2000
local WINDOW = 15 * 60000
local MIN_SAMPLES, MAX_SAMPLES = 5, 1024
local LOOK = 128
-- What the skill of one agent begins with; the login follows. Every desk has its own without listing it.
local AGENT = 'agent='

-- Sorts bytewise by priority down, since up, session.
local function turn(session)
  return struct.pack('>I4I8', 4294967295 - session.priority, session.since) .. session.session
end

local function is_served_before(a, b)
  local a_priority, a_since = struct.unpack('>I4I8', a)
  local b_priority, b_since = struct.unpack('>I4I8', b)
  if a_priority ~= b_priority then
    return a_priority < b_priority
  end
  if a_since ~= b_since then
    return a_since < b_since
  end
  return string.sub(a, 13) < string.sub(b, 13)
end

-- Sorts bytewise by how long it has been idle.
local function idle(desk)
  return struct.pack('>I8', desk.idle_since) .. desk.desk
end

local function is_asked_before(a, b)
  local a_since, b_since = (struct.unpack('>I8', a)), (struct.unpack('>I8', b))
  if a_since ~= b_since then
    return a_since < b_since
  end
  return string.sub(a, 9) < string.sub(b, 9)
end

local function set_of(list)
  local set = {}
  for _, value in ipairs(list) do
    set[value] = true
  end
  return set
end

local function sorted(list)
  local values = {}
  for i, value in ipairs(list) do
    values[i] = value
  end
  table.sort(values)
  return values
end

local function wish_of(session)
  return cjson.encode({session.queue, session.media, sorted(session.skills)})
end

local function class_of(desk)
  return cjson.encode({sorted(desk.queues), sorted(desk.skills)})
end

-- The agent that a skill names, if it names one.
local function agent_of(skill)
  return string.sub(skill, 1, #AGENT) == AGENT and string.sub(skill, #AGENT + 1) or nil
end

-- The agent that sessions with these skills are for.
local function agent_wished(skills)
  for _, skill in ipairs(skills) do
    local agent = agent_of(skill)
    if agent then
      return agent
    end
  end
end

-- Whether a desk of these queues and skills, both sets, admits a session of this queue that wants these. `agent` may be nil: of no certain
-- desk.
local function meets(queues, skills, agent, queue, wanted)
  if not queues[queue] then
    return false
  end
  for _, skill in ipairs(wanted) do
    local named = agent_of(skill)
    if named and named ~= agent or not named and not skills[skill] then
      return false
    end
  end
  return true
end

local function free_places(desk, media)
  for _, place in ipairs(desk.free) do
    if place[1] == media then
      return place[2]
    end
  end
  return 0
end

local function free_media(desk)
  local media = {}
  for _, place in ipairs(desk.free) do
    if place[2] > 0 then
      media[#media + 1] = place[1]
    end
  end
  return media
end

-- Where the wishes stand that are for this agent, or for none.
local function wishes_of(t, agent)
  return agent and t .. 'wishes:' .. agent or t .. 'wishes'
end

local function idle_key(t, media, class)
  return t .. 'idle:' .. media .. ':' .. class
end

local function seek(t, session)
  local wish, agent = wish_of(session), agent_wished(session.skills)
  redis.call('ZADD', t .. 'wish:' .. wish, 0, turn(session))
  redis.call('SADD', wishes_of(t, agent), wish)
  if agent then
    redis.call('SADD', t .. 'wished', agent)
  end
end

local function unseek(t, session)
  local wish, agent = wish_of(session), agent_wished(session.skills)
  local wishes = wishes_of(t, agent)
  redis.call('ZREM', t .. 'wish:' .. wish, turn(session))
  if redis.call('EXISTS', t .. 'wish:' .. wish) == 0 then
    redis.call('SREM', wishes, wish)
  end
  if agent and redis.call('EXISTS', wishes) == 0 then
    redis.call('SREM', t .. 'wished', agent)
  end
end

local function enlist(t, desk)
  local class = class_of(desk)
  redis.call('HSET', t .. 'of', desk.agent, desk.desk)
  for _, media in ipairs(free_media(desk)) do
    redis.call('ZADD', idle_key(t, media, class), 0, idle(desk))
    redis.call('SADD', t .. 'classes:' .. media, class)
  end
end

local function delist(t, desk)
  local class = class_of(desk)
  redis.call('HDEL', t .. 'of', desk.agent)
  for _, media in ipairs(free_media(desk)) do
    local alike = idle_key(t, media, class)
    redis.call('ZREM', alike, idle(desk))
    if redis.call('EXISTS', alike) == 0 then
      redis.call('SREM', t .. 'classes:' .. media, class)
    end
  end
end

local function waiting(t, session)
  local json = session and redis.call('HGET', t .. 'wait', session)
  return json and cjson.decode(json)
end

local function ready(t, desk)
  local json = desk and redis.call('HGET', t .. 'desk', desk)
  return json and cjson.decode(json)
end

local function is_held(t, log)
  return redis.call('ZSCORE', t .. 'held', log)
end

-- Ends a hold; false when there was none.
local function release(t, log)
  return redis.call('ZREM', t .. 'held', log) == 1
end

-- One that was held may be named again.
local function come_back(t, log)
  local session, desk = waiting(t, log), ready(t, log)
  if session then
    seek(t, session)
  end
  if desk then
    enlist(t, desk)
  end
end

local function end_late_holds(t, now)
  for _, log in ipairs(redis.call('ZRANGEBYSCORE', t .. 'held', '-inf', now, 'LIMIT', 0, LOOK)) do
    release(t, log)
    come_back(t, log)
  end
end

local function is_news(t, log, n)
  local known = redis.call('HGET', t .. 'known', log)
  return not known or n >= tonumber(known)
end

local function stop_waiting(t, log)
  local was = waiting(t, log)
  if not was then
    return nil
  end
  redis.call('HDEL', t .. 'wait', log)
  redis.call('ZREM', t .. 'queue:' .. was.queue, turn(was))
  if not release(t, log) then
    unseek(t, was)
  end
  return was
end

local function stop_being_ready(t, log)
  local was = ready(t, log)
  if was then
    redis.call('HDEL', t .. 'desk', log)
    if not release(t, log) then
      delist(t, was)
    end
  end
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

-- A desk that is nobody's yet, if it admits the session.
local function may_be_asked(t, id, session)
  local desk = ready(t, id)
  local admits = desk and free_places(desk, session.media) > 0
    and meets(set_of(desk.queues), set_of(desk.skills), desk.agent, session.queue, session.skills)
  return admits and not is_held(t, id) and desk
end

-- The preferred desk, else the one that has not said no and is idle longest, else one that has said no.
local function desk_for(t, session)
  local avoid, prefer = set_of(session.avoid), session.prefer
  local preferred = type(prefer) == 'string' and not avoid[prefer] and may_be_asked(t, prefer, session)
  if preferred then
    return preferred
  end
  local agent = agent_wished(session.skills)
  if agent then
    return may_be_asked(t, redis.call('HGET', t .. 'of', agent), session)
  end
  local best
  for _, class in ipairs(redis.call('SMEMBERS', t .. 'classes:' .. session.media)) do
    local queues, skills = unpack(cjson.decode(class))
    if meets(set_of(queues), set_of(skills), nil, session.queue, session.skills) then
      local alike = idle_key(t, session.media, class)
      for _, member in ipairs(redis.call('ZRANGE', alike, 0, #session.avoid)) do
        if not avoid[string.sub(member, 9)] then
          if not best or is_asked_before(member, best) then
            best = member
          end
          break
        end
      end
    end
  end
  if best then
    return ready(t, string.sub(best, 9))
  end
  for _, id in ipairs(session.avoid) do
    local desk = may_be_asked(t, id, session)
    if desk and id == prefer then
      return desk
    end
    if desk and (not best or is_asked_before(idle(desk), idle(best))) then
      best = desk
    end
  end
  return best
end

-- Holds a session and the desk to ask, if there is one.
local function pair_of(t, id, now)
  local session = waiting(t, id)
  local desk = session and desk_for(t, session)
  if not desk then
    return false
  end
  unseek(t, session)
  delist(t, desk)
  redis.call('ZADD', t .. 'held', now + HOLD, id, now + HOLD, desk.desk)
  return {id, desk.desk, desk.agent}
end

local function first_of(t, wish)
  return redis.call('ZRANGE', t .. 'wish:' .. wish, 0, 0)[1]
end

-- A pair that a session which begins to wait may have made possible.
local function pair_for_session(t, op, now)
  local first = first_of(t, wish_of(op))
  return first and pair_of(t, string.sub(first, 13), now) or false
end

-- The same for a desk.
local function pair_for_desk(t, id, now)
  local desk = ready(t, id)
  if not desk or is_held(t, id) then
    return false
  end
  local queues, skills, best = set_of(desk.queues), set_of(desk.skills), nil
  for _, wish in ipairs(redis.call('SUNION', t .. 'wishes', wishes_of(t, desk.agent))) do
    local queue, media, wanted = unpack(cjson.decode(wish))
    if free_places(desk, media) > 0 and meets(queues, skills, desk.agent, queue, wanted) then
      local first = first_of(t, wish)
      if first and (not best or is_served_before(first, best)) then
        best = first
      end
    end
  end
  return best and pair_of(t, string.sub(best, 13), now) or false
end

-- The best pair of all.
local function best_pair(t, now)
  local firsts, wishes = {}, {t .. 'wishes'}
  for _, agent in ipairs(redis.call('SMEMBERS', t .. 'wished')) do
    wishes[#wishes + 1] = wishes_of(t, agent)
  end
  for _, key in ipairs(wishes) do
    for _, wish in ipairs(redis.call('SMEMBERS', key)) do
      firsts[#firsts + 1] = first_of(t, wish)
    end
  end
  table.sort(firsts, is_served_before)
  for _, first in ipairs(firsts) do
    local pair = pair_of(t, string.sub(first, 13), now)
    if pair then
      return pair
    end
  end
  return false
end

-- Reads every table that may be written, so that one of a wrong type is met before the first write.
local function check(t, session, desk)
  redis.call('HLEN', t .. 'wait')
  redis.call('SCARD', t .. 'wishes')
  redis.call('SCARD', t .. 'wished')
  redis.call('HLEN', t .. 'desk')
  redis.call('HLEN', t .. 'of')
  redis.call('HLEN', t .. 'known')
  redis.call('ZCARD', t .. 'held')
  redis.call('ZCARD', t .. 'gone')
  if session then
    redis.call('ZCARD', t .. 'queue:' .. session.queue)
    redis.call('LLEN', t .. 'took:' .. session.queue)
    redis.call('ZCARD', t .. 'wish:' .. wish_of(session))
    redis.call('SCARD', wishes_of(t, agent_wished(session.skills)))
  end
  if desk then
    for _, media in ipairs(free_media(desk)) do
      redis.call('ZCARD', idle_key(t, media, class_of(desk)))
      redis.call('SCARD', t .. 'classes:' .. media)
    end
  end
end

-- Each writes, unless something newer is there, and returns a pair that this made possible.
local APPLY = {
  wait = function(t, op, json, now)
    if not is_news(t, op.session, op.n) then
      return false
    end
    stop_waiting(t, op.session)
    redis.call('HSET', t .. 'known', op.session, op.n)
    redis.call('ZREM', t .. 'gone', op.session)
    redis.call('HSET', t .. 'wait', op.session, json)
    redis.call('ZADD', t .. 'queue:' .. op.queue, 0, turn(op))
    if type(op.asked_until) == 'number' then
      redis.call('ZADD', t .. 'held', op.asked_until + HOLD, op.session)
      return false
    end
    seek(t, op)
    return pair_for_session(t, op, now)
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
    return false
  end,
  ready = function(t, op, json, now)
    if not is_news(t, op.desk, op.n) then
      return false
    end
    stop_being_ready(t, op.desk)
    redis.call('HSET', t .. 'known', op.desk, op.n)
    redis.call('ZREM', t .. 'gone', op.desk)
    if #free_media(op) > 0 then
      redis.call('HSET', t .. 'desk', op.desk, json)
      enlist(t, op)
    end
    return pair_for_desk(t, op.desk, now)
  end,
  unready = function(t, op, _, now)
    if is_news(t, op.desk, op.n) then
      redis.call('HSET', t .. 'known', op.desk, op.n)
      stop_being_ready(t, op.desk)
      depart(t, op.desk, now)
    end
    return false
  end,
  release = function(t, op, _, now)
    if release(t, op.desk) then
      come_back(t, op.desk)
    end
    return pair_for_desk(t, op.desk, now)
  end,
}

-- args: tenant, the operation as JSON.
define('match', {}, function(p, args)
  local t, op, now = p .. 'q:' .. args[3] .. ':', cjson.decode(args[4]), now_ms()
  local apply = APPLY[op.op]
  if not apply then
    bad('matching operation')
  end
  check(t, waiting(t, op.session), ready(t, op.desk))
  check(t, op.op == 'wait' and op, op.op == 'ready' and op)
  forget_departed(t, now)
  end_late_holds(t, now)
  return apply(t, op, args[4], now)
end)

define('best', {}, function(p, args)
  local t, now = p .. 'q:' .. args[3] .. ':', now_ms()
  check(t)
  end_late_holds(t, now)
  return best_pair(t, now)
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
