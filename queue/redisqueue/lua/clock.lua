-- Who is woken when, and the end of every call.

-- first is the lowest score of a sorted set.
local function first(key) return tonumber(call('ZRANGE', P .. key, 0, 0, 'WITHSCORES')[2]) end

-- arrive takes entries out of the delayed and puts each where it belongs now.
local function arrive(entries)
  local groups, order = {}, {}
  for _, entry in ipairs(entries) do
    local key, p, b, kind, id = match(entry, '^((%d):(%d+):(%a)):(.*)$')
    b = tonumber(b)
    local g = groups[key]
    if not g then
      g = {kind = kind, p = tonumber(p), b = b, ids = {}}
      groups[key] = g
      order[#order + 1] = g
    end
    g.ids[#g.ids + 1] = id
  end
  if #entries > 0 then each('ZREM', P .. 'd', entries) end
  for _, g in ipairs(order) do
    local it = batch(g.b)
    if it.void or not it.known then  -- counted as cancelled with their batch, or not at all
      each('RPUSH', P .. list(g.kind, g.p, g.b), g.ids)
      if not it.known then call('RPUSH', P .. 'gc', g.b) end
    else
      count(g.b, 'delayed', -#g.ids)
      place(g.kind, g.p, g.b, g.ids)
    end
  end
end

-- sweep ends what has expired and moves what is due, up to limit of each. It
-- tells whether there may be more. The order matters: an expired lease whose
-- delay is over too goes all the way.
local function sweep(limit)
  local more = false
  overdue()
  outlive()
  if Y.late and Y.late <= NOW then
    local late = call('ZRANGEBYSCORE', P .. 'l', '-inf', int(NOW), 'WITHSCORES', 'LIMIT', 0, limit)
    local refs, deadlines = {}, {}
    for i = 1, #late, 2 do
      refs[#refs + 1] = late[i]
      deadlines[#deadlines + 1] = tonumber(late[i + 1])
    end
    if #refs > 0 then item().expire(refs, nil, deadlines) end
    set('late', first('l'))
    more = #refs == limit
  end
  if Y.due and Y.due <= NOW then
    local due = call('ZRANGEBYSCORE', P .. 'd', '-inf', int(NOW), 'LIMIT', 0, limit)
    arrive(due)
    set('due', first('d'))
    more = more or #due == limit
  end
  return more
end

-- coming is when the next item comes due, nil if none does. What was cancelled or
-- deleted with its batch stands among the delayed until its time. It makes way
-- here, up to limit of it, so that nobody waits for what does not come.
local function coming(limit)
  if not Y.due then return nil end
  local at, of, gone = nil, 1, {}
  while true do
    local entries = call('ZRANGE', P .. 'd', 0, of - 1, 'WITHSCORES')
    gone = {}
    for i = 1, #entries, 2 do
      local it = batch(tonumber(match(entries[i], '^%d:(%d+):')))
      if it.known and not it.void then
        at = tonumber(entries[i + 1])
        break
      end
      gone[#gone + 1] = entries[i]
    end
    if #gone < of or of == limit then break end
    of = limit
  end
  arrive(gone)
  if #gone == limit then at = first('d') end  -- more of them may follow
  if at ~= Y.due then set('due', at) end
  return at
end

-- Two waiters have the alarm for what comes due next, the second a little
-- later in case the first was killed. The others take turns, one a second in
-- all, to make good a ring that was lost.
local waiting = drawer(function()
  local ALARM2 = 50000
  local v = call('HMGET', P .. 'y', 'alarm1Owner', 'alarm2', 'alarm2Owner')
  local owner = {alarm1 = v[1], alarm2 = v[3]}
  Y.alarm2 = v[2] and tonumber(v[2])

  local function take(alarm, worker, due)
    local at = Y[alarm]
    if at and at > NOW and at <= due and owner[alarm] ~= worker then return false end
    owner[alarm] = worker
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
    local due = first('l')
    if Y.due and (not due or Y.due < due) then due = Y.due end
    if Y.paused then due = nil end  -- nothing to claim when it comes
    if due and take('alarm1', worker, due) then
      at = math.min(at, due)
    elseif due and take('alarm2', worker, due) then
      at = math.min(at, due + ALARM2)
    end
    return math.max(at - NOW, 0)
  end

  -- attend gives up the alarm of a worker that waits no longer.
  local function attend(worker)
    if owner.alarm1 == worker then
      set('alarm1', nil)
      sooner = true
    end
  end

  return {patience = patience, attend = attend}
end)

local function ring(n)
  for _ = call('LLEN', P .. 'w') + 1, n do call('RPUSH', P .. 'w', '1') end
end

local moved = false  -- what a watcher is told of
local function flush_counts()
  local total = {}
  for b, of in pairs(delta) do
    for state, n in pairs(of) do
      if n ~= 0 then
        moved = true
        call('HINCRBY', P .. 'b:' .. b, state, n)
        total[state] = (total[state] or 0) + n
      end
    end
  end
  for state, n in pairs(total) do
    if n ~= 0 then call('HINCRBY', P .. 'c', state, n) end
  end
  delta = {}
end

local left = false  -- it is known that there is something to claim

-- finish writes what the call changed: counts, clockwork, rings.
local function finish()
  if unsure then coming(1000) end
  local touched = delta
  flush_counts()
  for b in pairs(touched) do
    if batch(b).followed and batching().complete(b) then batching().unblock(b) end
  end
  flush_counts()
  if not Y.paused then
    if changed and (left or call('EXISTS', P .. 'a') == 1) then
      ring(RINGS)
    elseif sooner and not (Y.alarm1 and Y.due and Y.alarm1 > NOW and Y.alarm1 <= Y.due) then
      ring(1)  -- one who waits must set its alarm anew
    end
  end
  local fields, n = {}, 0
  for f, v in pairs(dirty) do
    fields[n + 1], fields[n + 2] = f, v == '' and '' or int(v)
    n = n + 2
  end
  if n > 0 then call('HSET', P .. 'y', unpack(fields)) end
  if moved then call('PUBLISH', P .. 'ev', '') end
end
