-- How items fail, come back and come due.

local item = drawer(function()
  local limits_
  local function limits()
    if not limits_ then
      local v = call('HMGET', P .. 'y', 'backoffLimit', 'retryDelay', 'retryDelayMax', 'disruptionLimit')
      limits_ = {backoff = tonumber(v[1] or BACKOFF_LIMIT), delay = tonumber(v[2] or RETRY_DELAY),
        longest = tonumber(v[3] or RETRY_DELAY_MAX), disruption = tonumber(v[4] or DISRUPTION_LIMIT)}
    end
    return limits_
  end

  -- parse takes a ref apart: token:priority:worker:digest:batch:attempts.releases:id
  local function parse(ref)
    local token, p, worker, digest, b, a, r, id =
      match(ref, '^(%d+):(%d):([^:]*):([^:]*):(%d+):(%d+)%.(%d+):(.*)$')
    if not token then return nil end
    return {ref = ref, token = tonumber(token), p = tonumber(p), b = tonumber(b), a = tonumber(a), r = tonumber(r),
      tries = a .. '.' .. r, digest = digest, worker = worker, id = id}
  end

  -- header reads the front of a record: priority, batch, output, digest. It
  -- matches no further: what follows may be long.
  local function header(rec)
    local digest, p, b, n, at = match(rec or '', '^([%w_-]+):(%d):(%d+):(%d+):()')
    if not digest or #digest ~= 16 then return nil end
    return tonumber(p), tonumber(b), string.sub(rec, at, at + n - 1), digest
  end

  -- finished gives the digest of a done item that is still known.
  local function finished(id)
    for _, bucket in ipairs(call('ZRANGEBYSCORE', P .. 'ob', int(NOW - Y.retention), '+inf')) do
      local digest, b = match(call('HGET', P .. 'o:' .. bucket, id) or '', '^([^:]*):(%d+):')
      if b and batch(tonumber(b)).known then return digest end
    end
  end

  -- unlist takes an id out of a ready list. It reads the list.
  local function unlist(kind, p, b, id)
    local key = list(kind, p, b)
    if call('LREM', P .. key, 1, id) == 0 then return false end
    if call('EXISTS', P .. key) == 0 then call('ZREM', P .. 'a', key) end
    count_listed(b, -1)
    return true
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
    local d = math.min(limits().longest, limits().delay * 2 ^ math.min(n - 1, 40))
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
    if it.a > limits().backoff then return bury(it, failure) end
    note(it.id, failure)
    call('HSET', P .. 'n', it.id, it.a .. '.' .. it.r)
    later(kind or 'r', it.p, it.b, it.id, (since or NOW) + (after > 0 and after or delay(it.a, it.token)))
  end

  -- release counts none: at once the first time, later with growing delays.
  local function release(it, failure, after, backoff)
    it.r = it.r + 1
    if it.r > limits().disruption then
      return bury(it, '{"cause":"TooManyDisruptions","message":"given back ' .. it.r .. ' times, last since it was: ' ..
        (match(failure, '"cause":"(%a+)"') or 'Released') .. '"}')
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

  -- revive gives an item back to the holder of a lease that expired, if nobody
  -- else has got it: out of the delayed, the ready or the dead, as if the
  -- deadline had not passed.
  local function revive(ref)
    local it = parse(ref)
    if not it or call('HGET', P .. 'e', it.id) ~= ref then return false end
    if not batch(it.b).known or batch(it.b).void then return false end
    if call('HDEL', P .. 'x', it.id) == 1 then
      count(it.b, 'dead', -1)
    elseif call('ZREM', P .. 'd', it.p .. ':' .. it.b .. ':f:' .. it.id) == 1 then
      count(it.b, 'delayed', -1)
      unsure = true
    elseif not unlist('f', it.p, it.b, it.id) then
      return false
    end
    call('HDEL', P .. 'e', it.id)
    if it.tries == UNTRIED then call('HDEL', P .. 'n', it.id) else call('HSET', P .. 'n', it.id, it.tries) end
    local kept = match(call('HGET', P .. 'h', it.id) or '', '^(.*)\n[^\n]*$')
    if kept then call('HSET', P .. 'h', it.id, kept) else call('HDEL', P .. 'h', it.id) end
    call('ZADD', P .. 'l', int(NOW + Y.lease), ref)
    earliest('late', NOW + Y.lease)
    count(it.b, 'leased', 1)
    return true
  end

  -- publish keeps who published which output with the done records of a
  -- bucket, so that both are forgotten together.
  local function publish(outputs, bucket)
    local asked, ids = {}, {}
    for id, output in pairs(outputs) do asked[#asked + 1], ids[output] = output, id end
    local owners, own, pairs_ = read('HMGET', P .. 'u', asked), {}, {}
    for i, output in ipairs(asked) do
      if owners[i] == ids[output] then  -- or the lease was not of this output
        own[#own + 1] = output
        pairs_[#pairs_ + 1] = output
        pairs_[#pairs_ + 1] = owners[i]
      end
    end
    if #own == 0 then return end
    each('HDEL', P .. 'u', own)
    each('HSET', P .. 'uo:' .. bucket, pairs_)
  end

  return {parse = parse, header = header, finished = finished, unlist = unlist, bury = bury, nack = nack,
    release = release, expire = expire, revive = revive, publish = publish}
end)

-- current tells of each ref whether it is held, and whether all are. It
-- revives those that are not lost yet.
local function current(refs)
  local held, late = read('ZMSCORE', P .. 'l', refs), false
  for i = 1, #refs do
    if not held[i] then late = true end
  end
  if late and call('EXISTS', P .. 'e') == 1 then
    for i = 1, #refs do
      if not held[i] then held[i] = item().revive(refs[i]) end
    end
  end
  return held, not late
end
