-- How items fail, come back and come due.

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
  if not batch(it.b).known or batch(it.b).void then return nil end
  if call('HDEL', P .. 'x', it.id) == 1 then
    count(it.b, 'dead', -1)
  elseif call('ZREM', P .. 'd', it.p .. ':' .. it.b .. ':f:' .. it.id) == 1 then
    count(it.b, 'delayed', -1)
  elseif not unlist('f', it.p, it.b, it.id) then
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

-- header reads the front of a record: priority, batch, output, digest. It
-- matches no further: what follows may be long.
local function header(rec)
  local digest, p, b, n, at = string.match(rec or '', '^([%w_-]+):(%d):(%d+):(%d+):()')
  if not digest or #digest ~= 16 then return nil end
  return tonumber(p), tonumber(b), string.sub(rec, at, at + n - 1), digest
end

-- finished gives the digest of a done item that is still known.
local function finished(id)
  for _, bucket in ipairs(call('ZRANGEBYSCORE', P .. 'ob', int(NOW - Y.retention), '+inf')) do
    local digest, b = string.match(call('HGET', P .. 'o:' .. bucket, id) or '', '^([^:]*):(%d+):')
    if b and batch(tonumber(b)).known then return digest end
  end
end
