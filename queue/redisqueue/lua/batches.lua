-- What befalls a batch as a whole. Nothing here costs more the more items it
-- has, but for those that are leased.

local batching = drawer(function()
  -- attach offers a batch's lists to claims; detach takes them back.
  local function attach(b)
    local it = batch(b)
    if it.suspended or it.waits or it.void then return end
    for p = 1, 9 do
      for _, kind in ipairs(KINDS) do
        if call('EXISTS', P .. list(kind, p, b)) == 1 then offer(kind, p, b) end
      end
    end
  end

  local function detach(b)
    local keys = {}
    for p = 1, 9 do
      for _, kind in ipairs(KINDS) do keys[#keys + 1] = list(kind, p, b) end
    end
    call('ZREM', P .. 'a', unpack(keys))
  end

  local function make_batch(name)
    local b = call('HINCRBY', P .. 'y', 'batches', 1)
    call('HSET', P .. 'bn', name, b)
    call('HSET', P .. 'b:' .. b, 'name', name, 'created', int(NOW))
    return b
  end

  local STATES = {'blocked', 'delayed', 'ready', 'leased', 'done', 'dead', 'cancelled', 'held'}
  local function counts(b)
    local v, n, of = call('HMGET', P .. 'b:' .. b, unpack(STATES)), {}, delta[b] or {}
    for i, state in ipairs(STATES) do n[state] = tonumber(v[i] or 0) + (of[state] or 0) end
    return n
  end

  -- ended: sealed, and nothing left that can run.
  local function ended(b)
    local n = counts(b)
    return call('HGET', P .. 'b:' .. b, 'sealed') == '1' and n.blocked + n.delayed + n.ready + n.leased == 0, n
  end

  -- complete: sealed and all done.
  local function complete(b)
    local over, n = ended(b)
    return over and n.dead + n.cancelled == 0 and not batch(b).void
  end

  -- unblock lets the batches begin that waited for one which is complete.
  local function unblock(b)
    local followers = call('LRANGE', P .. 'fb:' .. b, 0, -1)
    call('DEL', P .. 'fb:' .. b)
    call('HDEL', P .. 'b:' .. b, 'followed')
    for _, f in ipairs(followers) do
      f = tonumber(f)
      if batch(f).known and batch(f).waits then
        call('HSET', P .. 'b:' .. f, 'waits', 0)
        batches[f] = nil
        local n = counts(f).blocked
        count(f, 'blocked', -n)
        count(f, 'ready', n)
        if batch(f).suspended then count(f, 'held', n) end
        attach(f)
      end
    end
  end

  -- awaited tells whether a batch waits for this one.
  local function awaited(b)
    for _, f in ipairs(call('LRANGE', P .. 'fb:' .. b, 0, -1)) do
      local it = batch(tonumber(f))
      if it.known and it.waits and not it.void then return true end
    end
    return false
  end

  -- publishing tells whether the output of an item that is not finished is
  -- decided, for any of a batch.
  local function publishing(b)
    local ids = call('HKEYS', P .. 'm')
    for i, rec in ipairs(#ids > 0 and read('HMGET', P .. 'p', ids) or {}) do
      local id, _, of = ids[i], item().header(rec)
      if of == b and call('HEXISTS', P .. 'x', id) + call('HEXISTS', P .. 'z', id) == 0 then
        if not batch(b).void then return true end
        for _, ref in ipairs(call('ZRANGE', P .. 'l', 0, -1)) do
          if item().parse(ref).id == id then return true end
        end
      end
    end
    return false
  end

  -- revoke ends the leases of a batch that nothing is committed for, and returns
  -- the ids.
  local function revoke(b)
    local refs, ids = {}, {}
    for _, ref in ipairs(call('ZRANGE', P .. 'l', 0, -1)) do
      local it = item().parse(ref)
      if it.b == b and call('HEXISTS', P .. 'm', it.id) == 0 then
        refs[#refs + 1] = ref
        ids[#ids + 1] = {id = it.id, p = it.p}
      end
    end
    if #refs > 0 then each('ZREM', P .. 'l', refs) end
    return ids
  end

  -- cancel_batch: what has begun to publish is finished, all else is cancelled.
  -- A batch that has ended stays what it is.
  local function cancel_batch(b, reason)
    call('ZREM', P .. 'bd', b)
    if batch(b).void or ended(b) then return end
    detach(b)
    call('HSET', P .. 'b:' .. b, 'void', 1, 'sealed', 1, 'reason', reason)
    batches[b], unsure = nil, true
    local n, gone = counts(b), revoke(b)
    for _, it in ipairs(gone) do place('r', it.p, b, {it.id}) end
    count(b, 'blocked', -n.blocked)
    count(b, 'delayed', -n.delayed)
    count(b, 'ready', -n.ready)
    count(b, 'held', -n.held)
    count(b, 'leased', -#gone)
    count(b, 'cancelled', n.blocked + n.delayed + n.ready)
  end

  return {attach = attach, detach = detach, make = make_batch, counts = counts, complete = complete, unblock = unblock,
    awaited = awaited, publishing = publishing, revoke = revoke, cancel = cancel_batch}
end)

-- overdue cancels the batches whose deadline has passed.
local function overdue()
  if not Y.batchDue or Y.batchDue > NOW then return end
  for _, b in ipairs(call('ZRANGEBYSCORE', P .. 'bd', '-inf', int(NOW))) do
    batching().cancel(tonumber(b), 'DeadlineExceeded')
  end
  set('batchDue', tonumber(call('ZRANGE', P .. 'bd', 0, 0, 'WITHSCORES')[2]))
end

-- outlive forgets the done records that are past the retention, a bucket of
-- them at a time.
local function outlive()
  if not Y.oldest or Y.oldest + Y.retention > NOW then return end
  for _, old in ipairs(call('ZRANGEBYSCORE', P .. 'ob', '-inf', int(NOW - Y.retention))) do
    local of = call('HGETALL', P .. 'oc:' .. old)
    for i = 1, #of, 2 do
      local b = tonumber(of[i])
      if batch(b).known then count(b, 'done', -tonumber(of[i + 1])) end
    end
    call('UNLINK', P .. 'o:' .. old, P .. 'oc:' .. old, P .. 'uo:' .. old)
    call('ZREM', P .. 'ob', old)
  end
  set('oldest', tonumber(call('ZRANGE', P .. 'ob', 0, 0, 'WITHSCORES')[2]))
end
