-- Reading, erasing and trimming records.
--
-- Stream entries cannot be edited: an erased record leaves the stream, and what remains of it stands in '{pN}:x:<log>' by number:
-- hash, digest, envelope. Readers fill the holes from there.

-- Adds hash, digest, envelope and body (a string, 0 where it was erased, false where there never was one) of records from..to.
local function add_records(p, log, from, to, out)
  local want = from
  local function fill(upto)
    while want < upto do
      local kept = redis.call('HGET', p .. 'x:' .. log, want)
      if not kept then
        error('NEXUS damaged: record ' .. id(want) .. ' of ' .. log .. ' is missing')
      end
      out[#out + 1] = string.sub(kept, 1, 8)
      out[#out + 1] = string.sub(kept, 9, 40)
      out[#out + 1] = string.sub(kept, 41)
      out[#out + 1] = 0
      want = want + 1
    end
  end
  if from > to then
    return
  end
  for _, entry in ipairs(redis.call('XRANGE', p .. 's:' .. log, id(from), id(to))) do
    local fields = entry[2]
    fill(tonumber(string.match(entry[1], '^%d+')))
    out[#out + 1] = fields[2]
    out[#out + 1] = fields[4]
    out[#out + 1] = fields[6]
    out[#out + 1] = fields[7] == 'b' and fields[8] or false
    want = want + 1
  end
  fill(to + 1)
end

-- The chain up to and including record n, which is not above the top.
local function hash_at(p, log, at, n)
  if n == at.base then
    return at.base_hash
  end
  local out = {}
  add_records(p, log, n, n, out)
  return out[1]
end

define('tail', {'no-writes'}, function(p, args)
  local at = head(p, args[3])
  if not at then
    return false
  end
  local from = math.max(at.snapshot, at.base + 1)
  local out = {from, hash_at(p, args[3], at, from - 1)}
  add_records(p, args[3], from, at.n, out)
  return out
end)

-- args: log, 'F' from here up or 'B' down to here, number, how many.
define('read', {'no-writes'}, function(p, args)
  local at = head(p, args[3])
  if not at then
    return false
  end
  local here, limit = tonumber(args[5]), tonumber(args[6])
  local from, to
  if args[4] == 'F' then
    from = math.max(here, at.base + 1)
    to = math.min(at.n, from + limit - 1)
  else
    to = math.min(here, at.n)
    from = math.max(at.base + 1, to - limit + 1)
  end
  local out = {at.base + 1, at.n, at.hash, from}
  add_records(p, args[3], from, to, out)
  return out
end)

-- args: logs. Two values a log: number and hash, 0 where there is none.
local function tops(p, args)
  local out = {}
  for i = 3, #args do
    local at = head(p, args[i])
    out[#out + 1] = at and at.n or 0
    out[#out + 1] = at and at.hash or ZERO
  end
  return out
end

define('tops', {'no-writes'}, tops)
define_unfenced('tops_left', {'no-writes'}, tops)

-- args: log, number. Its hash; empty above the top, nothing where it is trimmed.
define_unfenced('hash_left', {'no-writes'}, function(p, args)
  local at, n = head(p, args[3]), tonumber(args[4])
  if not at or n < at.base then
    return false
  end
  return n > at.n and '' or hash_at(p, args[3], at, n)
end)

-- args: log, numbers.
define('erase', {}, function(p, args)
  local log = args[3]
  local at = head(p, log)
  if not at then
    return 0
  end
  local stream, aside, erased = p .. 's:' .. log, p .. 'x:' .. log, 0
  redis.call('HLEN', aside)
  for i = 4, #args do
    local entry = redis.call('XRANGE', stream, args[i] .. '-0', args[i] .. '-0')[1]
    if entry and entry[2][7] == 'b' then
      redis.call('HSET', aside, args[i], entry[2][2] .. entry[2][4] .. entry[2][6])
      redis.call('XDEL', stream, entry[1])
      erased = erased + 1
    end
  end
  if erased > 0 then
    at.erased = true
    write_head(p, log, at)
    redis.call('PEXPIREAT', aside, at.expires)
  end
  return erased
end)

-- args: log, the first number that must stay.
define('trim', {}, function(p, args)
  local log = args[3]
  local at = head(p, log)
  if not at then
    return 0
  end
  local below = math.min(tonumber(args[4]), at.snapshot)
  if below <= at.base + 1 then
    return 0
  end
  local hash = hash_at(p, log, at, below - 1)
  redis.call('XTRIM', p .. 's:' .. log, 'MINID', '=', id(below))
  if at.erased then
    for _, n in ipairs(redis.call('HKEYS', p .. 'x:' .. log)) do
      if tonumber(n) < below then
        redis.call('HDEL', p .. 'x:' .. log, n)
      end
    end
  end
  local forgotten = below - at.base - 1
  at.base, at.base_hash = below - 1, hash
  write_head(p, log, at)
  return forgotten
end)

define('peer', {'no-writes'}, function(p, args)
  return (open_session(p, args[3])) or false
end)

define('open', {'no-writes'}, function(p, args)
  return redis.call('ZCOUNT', p .. 'active:' .. args[3], '(' .. now_ms(), '+inf')
end)
