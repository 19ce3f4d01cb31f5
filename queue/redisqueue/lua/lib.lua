-- What every script of a queue shares. A script is this file and its own.
--
-- KEYS[1]  the prefix of the queue's keys; it holds the hash tag, so that all
--          of them live in one slot and a script may name them as it goes
-- Times are microseconds of the store's clock; durations too.
--
-- An item's state is where its entry stands:
--   p  HASH id -> digest:priority:batch:len(output):output payload   known and not done
--   r:<priority>:<batch>, f:<priority>:<batch>  LIST of ids          ready; f goes first
--   a  ZSET list -> order                  the lists that a claim may take from
--   d  ZSET priority:batch:list:id -> due  delayed
--   l  ZSET ref -> deadline                leased; a ref is the token and all that a settle needs
--   x  HASH id -> batch:when               dead
--   o:<bucket>  HASH id -> digest:batch:attempts:result   done; ob lists the buckets
-- and beside it:
--   y  HASH  policy and clockwork          c, b:<batch>  HASH  counts
--   n  HASH id -> attempts.releases        h  HASH id -> failures, a line each
--   e  HASH id -> ref                      leases that expired and whose item nobody else has got yet
--   m  HASH id -> record                   committed, not acked
--   u  HASH output -> id                   k  HASH worker -> its last reply
--   w  LIST                                the doorbell: idle workers block on it
--   t  ZSET worker -> when                 who looks next without a ring

local P = KEYS[1]
local call = redis.call
local time = call('TIME')
local NOW = time[1] * 1000000 + time[2]

local CHUNK = 1000     -- arguments a call: unpack has a stack to fill
local TURN = 1000000   -- between two looks for a ring that was lost
local RINGS = 2        -- a ring taken by a worker that is killed leaves another
local FAILURES = 8     -- kept of an item: the first and the newest

-- Numbers of this size need a format: tostring gives 1.7e+15.
local function int(n) return string.format('%.0f', n) end

local function each(cmd, key, list)
  for i = 1, #list, CHUNK do
    call(cmd, key, unpack(list, i, math.min(i + CHUNK - 1, #list)))
  end
end

local function read(cmd, key, list)
  if #list <= CHUNK then return call(cmd, key, unpack(list)) end
  local all = {}
  for i = 1, #list, CHUNK do
    local part = call(cmd, key, unpack(list, i, math.min(i + CHUNK - 1, #list)))
    for j = 1, #part do all[i + j - 1] = part[j] end
  end
  return all
end

-- join is table.concat in parts: it has a stack to fill too.
local function join(list, sep)
  if #list <= CHUNK then return table.concat(list, sep) end
  local parts = {}
  for i = 1, #list, CHUNK do
    parts[#parts + 1] = table.concat(list, sep, i, math.min(i + CHUNK - 1, #list))
  end
  return join(parts, sep)
end

-- The policy and the clockwork, read once a call and written when changed.
local FIELDS = {'lease', 'backoffLimit', 'retryDelay', 'retryDelayMax', 'disruptionLimit', 'retention',
  'paused', 'token', 'due', 'bucket', 'bucketEnd', 'alarm1', 'alarm2'}
local Y, dirty = {}, {}
do
  local v = call('HMGET', P .. 'y', unpack(FIELDS))
  for i, f in ipairs(FIELDS) do Y[f] = tonumber(v[i] or DEFAULT[f]) end
end
local function set(field, value)
  Y[field], dirty[field] = value, value or ''
end

-- Counts change by the sum of what a call did to them.
local delta = {}
local function count(b, state, n)
  local of = delta[b]
  if not of then of = {}; delta[b] = of end
  of[state] = (of[state] or 0) + n
end

-- A batch: its name and whether its lists may be taken from.
local batches = {}
local function batch(b)
  local it = batches[b]
  if it then return it end
  local v = call('HMGET', P .. 'b:' .. b, 'name', 'sealed', 'suspended', 'blocked', 'cancelled')
  it = {name = v[1] or '', sealed = v[2] == '1', suspended = v[3] == '1', blocked = v[4] == '1',
    cancelled = v[5] == '1', known = v[1] ~= false}
  batches[b] = it
  return it
end

local changed, sooner = false, false  -- something became ready; the earliest due time moved up

-- count_listed counts ids that enter (n > 0) or leave a ready list.
local function count_listed(b, n)
  local it = batch(b)
  count(b, it.blocked and 'blocked' or 'ready', n)
  if it.suspended and not it.blocked then count(b, 'held', n) end
end

local function list(kind, p, b) return kind .. ':' .. p .. ':' .. b end

local function place(kind, p, b, ids)
  local key = list(kind, p, b)
  each('RPUSH', P .. key, ids)
  count_listed(b, #ids)
  local it = batch(b)
  if not it.suspended and not it.blocked then
    call('ZADD', P .. 'a', int((9 - p) * 1e13 + (kind == 'f' and 0 or 1e12) + b), key)
    changed = true
  end
end

local function later(kind, p, b, id, at)
  call('ZADD', P .. 'd', int(at), p .. ':' .. b .. ':' .. kind .. ':' .. id)
  count(b, 'delayed', 1)
  if not Y.due or at < Y.due then set('due', at); sooner = true end
end

-- parse takes a ref apart: token:priority:batch:attempts.releases:digest:worker:id
local function parse(ref)
  local token, p, b, a, r, digest, worker, id =
    string.match(ref, '^(%d+):(%d):(%d+):(%d+)%.(%d+):([^:]*):([^:]*):(.*)$')
  if not token then return nil end
  return {ref = ref, token = tonumber(token), p = tonumber(p), b = tonumber(b), a = tonumber(a), r = tonumber(r),
    digest = digest, worker = worker, id = id}
end

local function note(id, failure)
  local lines = {}
  for line in string.gmatch(call('HGET', P .. 'h', id) or '', '[^\n]+') do lines[#lines + 1] = line end
  if #lines >= FAILURES then table.remove(lines, 2) end
  lines[#lines + 1] = failure
  call('HSET', P .. 'h', id, table.concat(lines, '\n'))
end

-- The delay after the nth failure doubles from the first, with up to a tenth
-- of jitter. Redis seeds math.random the same in every script, hence the hash.
local function delay(n, seed)
  local d = math.min(Y.retryDelayMax, Y.retryDelay * 2 ^ math.min(n - 1, 40))
  return math.floor(d * (1 + (seed % 1e6) * 7919 % 1000 / 10000))
end

local function bury(it, failure)
  note(it.id, failure)
  call('HSET', P .. 'n', it.id, it.a .. '.' .. it.r)
  call('HSET', P .. 'x', it.id, it.b .. ':' .. int(NOW))
  count(it.b, 'dead', 1)
end

-- nack counts an attempt: again after a delay, dead past the limit. The delay
-- counts from now, or from the deadline that passed.
local function nack(it, failure, after, kind, since)
  it.a = it.a + 1
  if it.a > Y.backoffLimit then return bury(it, failure) end
  note(it.id, failure)
  call('HSET', P .. 'n', it.id, it.a .. '.' .. it.r)
  later(kind or 'r', it.p, it.b, it.id, (since or NOW) + (after > 0 and after or delay(it.a, it.token)))
end

-- release counts none: at once the first time, later with growing delays.
local function release(it, failure, after, backoff)
  it.r = it.r + 1
  if it.r > Y.disruptionLimit then
    return bury(it, '{"cause":"TooManyDisruptions","message":"given back ' .. it.r .. ' times, last since it was: ' ..
      (string.match(failure, '"cause":"(%a+)"') or 'Released') .. '"}')
  end
  call('HSET', P .. 'n', it.id, it.a .. '.' .. it.r)
  if after == 0 and (it.r > 1 or backoff) then after = delay(backoff and it.r or it.r - 1, it.token) end
  if after > 0 then return later('f', it.p, it.b, it.id, NOW + after) end
  place('f', it.p, it.b, {it.id})
end

-- expire ends leases whose deadline passed or whose worker is dead. Until
-- another gets the item its holder may come back for it: see revive.
local function expire(refs, failure, deadlines)
  each('ZREM', P .. 'l', refs)
  for i, ref in ipairs(refs) do
    local it = parse(ref)
    call('HSET', P .. 'e', it.id, ref)
    count(it.b, 'leased', -1)
    nack(it, failure or '{"cause":"LeaseExpired","message":"worker ' .. it.worker .. ' did not renew its lease"}', 0, 'f',
      deadlines and deadlines[i])
  end
end

-- revive takes an item back for the holder of a lease that expired, if nobody
-- else has got it: out of the delayed, the ready or the dead, as if the
-- deadline had not passed.
local function revive(ref)
  local it = parse(ref)
  if not it or call('HGET', P .. 'e', it.id) ~= ref then return nil end
  local key = list('f', it.p, it.b)
  if call('HDEL', P .. 'x', it.id) == 1 then
    count(it.b, 'dead', -1)
  elseif call('ZREM', P .. 'd', it.p .. ':' .. it.b .. ':f:' .. it.id) == 1 then
    count(it.b, 'delayed', -1)
  elseif call('LREM', P .. key, 1, it.id) == 1 then
    count_listed(it.b, -1)
    if call('EXISTS', P .. key) == 0 then call('ZREM', P .. 'a', key) end
  else
    return nil
  end
  call('HDEL', P .. 'e', it.id)
  if it.a + it.r == 0 then call('HDEL', P .. 'n', it.id) else call('HSET', P .. 'n', it.id, it.a .. '.' .. it.r) end
  local kept = string.match(call('HGET', P .. 'h', it.id) or '', '^(.*)\n[^\n]*$')
  if kept then call('HSET', P .. 'h', it.id, kept) else call('HDEL', P .. 'h', it.id) end
  count(it.b, 'leased', 1)
  return it
end

-- current gives the leases that refs still hold, by ref.
local function current(refs)
  local held = {}
  if #refs == 0 then return held end
  local scores = read('ZMSCORE', P .. 'l', refs)
  local late = false
  for i, ref in ipairs(refs) do
    if scores[i] then held[ref] = parse(ref) else late = true end
  end
  if late and call('EXISTS', P .. 'e') == 1 then
    for i, ref in ipairs(refs) do
      if not scores[i] and not held[ref] then held[ref] = revive(ref) end
    end
  end
  return held
end

-- sweep ends what has expired and moves what is due, up to limit of each. It
-- tells whether there may be more. The order matters: an expired lease whose
-- delay is over too goes all the way.
local function sweep(limit)
  local more = false
  local late = call('ZRANGEBYSCORE', P .. 'l', '-inf', int(NOW), 'WITHSCORES', 'LIMIT', 0, limit)
  if #late > 0 then
    local refs, deadlines = {}, {}
    for i = 1, #late, 2 do
      refs[#refs + 1] = late[i]
      deadlines[#deadlines + 1] = tonumber(late[i + 1])
    end
    expire(refs, nil, deadlines)
    more = #refs == limit
  end
  if Y.due and Y.due <= NOW then
    local due = call('ZRANGEBYSCORE', P .. 'd', '-inf', int(NOW), 'LIMIT', 0, limit)
    local groups, order = {}, {}
    for _, entry in ipairs(due) do
      local key, p, b, kind, id = string.match(entry, '^((%d):(%d+):(%a)):(.*)$')
      b = tonumber(b)
      if not batch(b).cancelled then
        local g = groups[key]
        if not g then
          g = {kind = kind, p = tonumber(p), b = b, ids = {}}
          groups[key] = g
          order[#order + 1] = g
        end
        g.ids[#g.ids + 1] = id
      end
    end
    if #due > 0 then each('ZREM', P .. 'd', due) end
    for _, g in ipairs(order) do
      count(g.b, 'delayed', -#g.ids)
      place(g.kind, g.p, g.b, g.ids)
    end
    set('due', tonumber(call('ZRANGE', P .. 'd', 0, 0, 'WITHSCORES')[2]))
    more = more or #due == limit
  end
  return more
end

-- Two waiters have the alarm for what comes due next, the second a little
-- later in case the first was killed. The others take turns, one a second in
-- all, to make good a ring that was lost.
local ALARM2 = 50000
local owners = {}
local function owner(alarm)
  if owners[alarm] == nil then owners[alarm] = call('HGET', P .. 'y', alarm .. 'Owner') or '' end
  return owners[alarm]
end

local function take(alarm, worker, due)
  local at = Y[alarm]
  if at and at > NOW and at <= due and owner(alarm) ~= worker then return false end
  owners[alarm] = worker
  call('HSET', P .. 'y', alarm .. 'Owner', worker)
  set(alarm, due)
  return true
end

-- patience is how long a worker that found nothing may wait without a ring.
local function patience(worker)
  call('ZREM', P .. 't', worker)
  call('ZREMRANGEBYSCORE', P .. 't', '-inf', int(NOW))
  local last = tonumber(call('ZRANGE', P .. 't', -1, -1, 'WITHSCORES')[2]) or NOW
  local at = math.min(last + TURN, NOW + 30 * TURN)
  call('ZADD', P .. 't', int(at), worker)
  local due = tonumber(call('ZRANGE', P .. 'l', 0, 0, 'WITHSCORES')[2])
  if Y.due and (not due or Y.due < due) then due = Y.due end
  if due and take('alarm1', worker, due) then
    at = math.min(at, due)
  elseif due and take('alarm2', worker, due) then
    at = math.min(at, due + ALARM2)
  end
  return math.max(at - NOW, 0)
end

-- attend gives up the alarm of a worker that waits no longer.
local function attend(worker)
  if Y.alarm1 and Y.alarm1 > NOW and owner('alarm1') == worker then
    set('alarm1', nil)
    sooner = true
  end
end

local function ring(n)
  for _ = call('LLEN', P .. 'w') + 1, n do call('RPUSH', P .. 'w', '1') end
end

-- finish writes what the call changed: counts, clockwork, rings.
local function finish()
  local total = {}
  for b, of in pairs(delta) do
    for state, n in pairs(of) do
      if n ~= 0 then
        call('HINCRBY', P .. 'b:' .. b, state, n)
        total[state] = (total[state] or 0) + n
      end
    end
  end
  for state, n in pairs(total) do
    if n ~= 0 then call('HINCRBY', P .. 'c', state, n) end
  end
  if Y.paused ~= 1 then
    if changed and call('EXISTS', P .. 'a') == 1 then
      ring(RINGS)
    elseif sooner and not (Y.alarm1 and Y.due and Y.alarm1 > NOW and Y.alarm1 <= Y.due) then
      ring(1)  -- one who waits must set its alarm anew
    end
  end
  local pairs_ = {}
  for f, v in pairs(dirty) do
    pairs_[#pairs_ + 1] = f
    pairs_[#pairs_ + 1] = v == '' and '' or int(v)
  end
  if #pairs_ > 0 then call('HSET', P .. 'y', unpack(pairs_)) end
end
