-- One append: key, basis, records, effects, timers, indexes, publication; everything or nothing.

-- An idempotency key is good for this long. Keys of a stretch of time share a hash, which expires as a whole; a field is 'k' and the key,
-- and 'at' marks a hash that has been given its expiry.
local KEY_HORIZON = 72 * 3600000

local function key_hash(p, now, back)
  return p .. 'k:' .. math.floor(now / KEY_HORIZON) - back
end

-- Stored: time, body hash, first number, log, answer.
local function known_answer(known, body_hash, now)
  if not known then
    return nil
  end
  local at, hash, first, log = struct.unpack('>I8c16I8c36', known)
  if now - at >= KEY_HORIZON then
    return nil
  end
  if hash ~= body_hash then
    return {'X'}
  end
  return {'K', log, first, string.sub(known, 69)}
end

-- What a repeat is told, nil for a key that is new; and whether the hash of now has its expiry.
local function recall(p, key, body_hash, now)
  local found = redis.call('HMGET', key_hash(p, now, 0), 'k' .. key, 'at')
  local told = known_answer(found[1], body_hash, now)
    or known_answer(redis.call('HGET', key_hash(p, now, 1), 'k' .. key), body_hash, now)
  return told, found[2]
end

local function remember(p, key, body_hash, first, log, answer, now, expires)
  local hash = key_hash(p, now, 0)
  local value = struct.pack('>I8c16I8c36', now, body_hash, first, log) .. answer
  if expires then
    redis.call('HSET', hash, 'k' .. key, value)
  else
    redis.call('HSET', hash, 'k' .. key, value, 'at', now)
    redis.call('PEXPIREAT', hash, (math.floor(now / KEY_HORIZON) + 2) * KEY_HORIZON)
  end
end

-- The first eight bytes of SHA-1 over the hash so far and the digest.
local function chain(hash, digest)
  local hex = redis.sha1hex(hash .. digest)
  return struct.pack('>I4I4', tonumber(string.sub(hex, 1, 8), 16), tonumber(string.sub(hex, 9, 16), 16))
end

local function bad(what)
  error('NEXUS malformed ' .. what)
end

-- Reads `count` records from args[i]: mark and digest, envelope, and a body if the mark says so.
local function take_records(args, i, count)
  local records = {}
  for r = 1, count do
    local marked, envelope = args[i], args[i + 1]
    if not envelope or #marked ~= 33 then
      bad('record')
    end
    local mark = string.byte(marked) - 48
    local record = {digest = string.sub(marked, 2), envelope = envelope, snapshot = mark >= 2}
    i = i + 2
    if mark % 2 == 1 then
      record.body = args[i] or bad('body')
      i = i + 1
    end
    records[r] = record
  end
  return records, i
end

-- Reads `count` effects from args[i]: place, lane, delay, payload.
local function take_effects(args, i, count)
  local effects = {}
  for e = 1, count do
    local place, delay = tonumber(args[i]), tonumber(args[i + 2])
    if not args[i + 3] or not place or not delay then
      bad('effect')
    end
    effects[e] = {place = place, lane = args[i + 1], delay = delay, payload = args[i + 3]}
    i = i + 4
  end
  return effects, i
end

-- Reads `count` pairs from args[i]. A timer's name has five digits, so that timers due at once come in their order.
local function take_pairs(args, i, count)
  local pairs_read = {}
  for c = 1, count do
    if not args[i + 1] then
      bad('change')
    end
    pairs_read[c] = {args[i], args[i + 1]}
    i = i + 2
  end
  return pairs_read, i
end

-- How many effects wait in each lane; reads it once per lane.
local function lane_lengths(p, log, effects, lengths)
  for _, effect in ipairs(effects) do
    local lane = p .. 'l:' .. log .. ':' .. effect.lane
    if not lengths[lane] then
      lengths[lane] = redis.call('LLEN', lane)
    end
  end
end

-- A lane's entry: number, place, not before, leases so far, payload. Adds to `due` the lanes that were empty.
local function push_effects(p, log, n, effects, lengths, now, due)
  for _, effect in ipairs(effects) do
    local lane, at = p .. 'l:' .. log .. ':' .. effect.lane, now + effect.delay
    redis.call('RPUSH', lane, struct.pack('>I8I2I8I4', n, effect.place, at, 0) .. effect.payload)
    if lengths[lane] == 0 then
      due[#due + 1] = at
      due[#due + 1] = log .. effect.lane
    end
    lengths[lane] = lengths[lane] + 1
  end
end

-- Reads each key that an index writes, so that one of a wrong type is met before the first write.
local INDEX_CHECK = {
  O = function(p, v) redis.call('ZCARD', p .. 'active:' .. v) end,
  S = function(p, v) redis.call('ZCARD', p .. 'active:' .. v) end,
  P = function(p, v) redis.call('GET', p .. 'peer:' .. v) end,
  U = function(p, v) redis.call('GET', p .. 'peer:' .. v) end,
  A = function(p, v) redis.call('ZCARD', p .. 'alive') if not tonumber(v) then bad('liveness') end end,
  N = function(p) redis.call('ZCARD', p .. 'alive') end,
  X = function(p) redis.call('SCARD', p .. 'out') end,
  I = function(p) redis.call('SCARD', p .. 'out') end,
}

local INDEX_WRITE = {
  O = function(p, v, log, w)
    redis.call('ZREMRANGEBYSCORE', p .. 'active:' .. v, '-inf', w.now)
    redis.call('ZADD', p .. 'active:' .. v, w.expires, log)
  end,
  S = function(p, v, log) redis.call('ZREM', p .. 'active:' .. v, log) end,
  P = function(p, v, log, w)
    w.peers[v], w.peers_changed = true, w.peers_changed or {}
    w.peers_changed[v] = true
    redis.call('SET', p .. 'peer:' .. v, log)
  end,
  U = function(p, v, log, w)
    w.peers[v], w.peers_changed = nil, w.peers_changed or {}
    if redis.call('GET', p .. 'peer:' .. v) == log then
      redis.call('DEL', p .. 'peer:' .. v)
    end
  end,
  A = function(p, v, log, w) redis.call('ZADD', p .. 'alive', w.now + tonumber(v), log) end,
  N = function(p, _, log) redis.call('ZREM', p .. 'alive', log) end,
  X = function(p, v) redis.call('SADD', p .. 'out', v) end,
  I = function(p, v) redis.call('SREM', p .. 'out', v) end,
}

-- Writes the records; returns the new top and the number of the last snapshot among them.
local function write_records(stream, n, hash, records)
  local snapshot
  for _, record in ipairs(records) do
    n, hash = n + 1, chain(hash, record.digest)
    local fields = {'XADD', stream, id(n), 'h', hash, 'd', record.digest, 'e', record.envelope}
    if record.body then
      fields[10], fields[11] = 'b', record.body
    end
    if record.snapshot then
      snapshot = n
      fields[#fields + 1], fields[#fields + 2] = 's', '1'
    end
    redis.call(unpack(fields))
  end
  return n, hash, snapshot
end

-- Tells the watchers of a log the whole append, as it was asked for: what it continued, whether it opened the log, its arguments from
-- the header on, each with its length. A node that heard it can put it back if Redis loses it.
local function publish(p, log, before, opened, args)
  local told = {'R', struct.pack('>I8', before.n), before.hash, opened and '1' or '0'}
  for i = 4, #args do
    told[#told + 1] = struct.pack('>I4', #args[i])
    told[#told + 1] = args[i]
  end
  redis.call('SPUBLISH', p .. 'w:' .. log, table.concat(told))
end

-- An append does not ask whose store it is while its log is there, for then the log would be another's too.
local function append(keys, args)
  local p, now = string.sub(keys[1], 1, -6), now_ms()
  local function says(answer)
    return {args[1], answer}
  end
  local log = args[3]
  if #log ~= 36 or #args[4] ~= 33 then
    bad('header')
  end
  local basis, marks, closes, at_n, at_hash, expire, openings, opening_fx, count, fx, timer_count, index_count =
    struct.unpack('>c1BBI8c8I8BBBBBB', args[4])
  local i = 5

  local key, body_hash, answer, key_hash_expires
  if marks % 2 == 1 then
    key, body_hash, answer = args[5], args[6], args[7]
    if not answer or #body_hash ~= 16 then
      bad('key')
    end
    local told
    told, key_hash_expires = recall(p, key, body_hash, now)
    if told then
      return says(told)
    end
    i = 8
  end

  if marks >= 2 then
    local guard = args[i] or bad('guard')
    if redis.call('SISMEMBER', p .. 'out', guard) == 1 then
      return says(is_ours(keys, args) and {'O'} or 'W')
    end
    i = i + 1
  end

  local peer
  if basis == 'P' then
    peer = args[i] or bad('peer')
    i = i + 1
  end
  local opening, opening_effects, records, effects, timers, indexes
  opening, i = take_records(args, i, openings)
  opening_effects, i = take_effects(args, i, opening_fx)
  records, i = take_records(args, i, count)
  effects, i = take_effects(args, i, fx)
  timers, i = take_pairs(args, i, timer_count)
  indexes, i = take_pairs(args, i, index_count)
  if i ~= #args + 1 or count == 0 then
    bad('append')
  end

  local top = head(p, log)
  if not top and not is_ours(keys, args) then
    return says('W')
  end
  if basis == 'D' then
    local n, hash = 0, ZERO
    if top then
      n, hash = top.n, top.hash
    end
    if n ~= at_n or hash ~= at_hash then
      return says({'R', n, hash})
    end
  elseif basis == 'A' then
    if not top or top.closed then
      return says({'C'})
    end
  else
    local open, open_head = open_session(p, peer)
    if open then
      log, top, openings = open, open_head, 0
      -- Who appends knows that nothing follows there.
      if top.n == at_n and top.hash == at_hash then
        effects = {}
      end
    elseif openings == 0 then
      return says({'C'})
    elseif top then
      return says({'R', top.n, top.hash})
    end
  end
  if openings == 0 then
    opening, opening_effects = {}, {}
  end
  top = top or {n = 0, hash = ZERO, snapshot = 0, base = 0, base_hash = ZERO, expires = 0, peers = ''}

  -- A log may be kept a little longer than asked, so that its expiry need not be written with every append.
  local slack = math.floor(expire / 64)
  local w = {now = now, expires = now + expire + slack, peers = {}}
  local refresh = top.expires < now + expire or top.expires > w.expires
  if not refresh then
    w.expires = top.expires
  end
  if top.peers ~= '' then
    for _, known in ipairs(cmsgpack.unpack(top.peers)) do
      -- Another session may be the peer's by now; its expiry is not this log's business.
      w.peers[known] = not refresh or redis.call('GET', p .. 'peer:' .. known) == log or nil
    end
  end
  local lengths = {}
  lane_lengths(p, log, opening_effects, lengths)
  lane_lengths(p, log, effects, lengths)
  if next(lengths) then
    redis.call('ZCARD', p .. 'fx')
  end
  for _, timer in ipairs(timers) do
    if not tonumber(timer[1]) or (timer[2] ~= '' and not tonumber(timer[2])) then
      bad('timer')
    end
  end
  if #timers > 0 then
    redis.call('ZCARD', p .. 't')
  end
  for _, index in ipairs(indexes) do
    (INDEX_CHECK[index[1]] or bad('index'))(p, index[2])
  end

  -- From here on it writes. The first XADD is the last that can refuse: a stream whose top is not the head's.
  local stream = p .. 's:' .. log
  local n, hash, opening_snapshot, snapshot = top.n, top.hash, nil, nil
  n, hash, opening_snapshot = write_records(stream, n, hash, opening)
  local first = n + 1
  n, hash, snapshot = write_records(stream, n, hash, records)

  local due = {'ZADD', p .. 'fx'}
  push_effects(p, log, top.n + 1, opening_effects, lengths, now, due)
  push_effects(p, log, first, effects, lengths, now, due)
  if #due > 2 then
    redis.call(unpack(due))
  end
  for _, timer in ipairs(timers) do
    if timer[2] == '' then
      redis.call('ZREM', p .. 't', log .. timer[1])
    else
      redis.call('ZADD', p .. 't', timer[2], log .. timer[1])
    end
  end
  if key then
    remember(p, key, body_hash, first, log, answer, now, key_hash_expires)
  end
  if openings > 0 then
    INDEX_WRITE.P(p, peer, log, w)
  end
  for _, index in ipairs(indexes) do
    INDEX_WRITE[index[1]](p, index[2], log, w)
  end

  local after = {
    n = n, hash = hash, closed = top.closed or closes == 1, erased = top.erased,
    snapshot = snapshot or opening_snapshot or top.snapshot, base = top.base, base_hash = top.base_hash,
    expires = w.expires, peers = top.peers
  }
  if w.peers_changed or (refresh and top.peers ~= '') then
    local peers = {}
    for known in pairs(w.peers) do
      peers[#peers + 1] = known
      if refresh or w.peers_changed[known] then
        redis.call('PEXPIREAT', p .. 'peer:' .. known, w.expires)
      end
    end
    after.peers = #peers > 0 and cmsgpack.pack(peers) or ''
  end
  write_head(p, log, after)
  if refresh then
    redis.call('PEXPIREAT', stream, w.expires)
    if top.erased then
      redis.call('PEXPIREAT', p .. 'x:' .. log, w.expires)
    end
  end
  publish(p, log, top, openings > 0, args)
  return says({'A', log, first, n, hash, openings > 0 and 1 or 0, top.n, top.hash})
end

register('append', {}, append)
register_unfenced('put_back', {}, append)
