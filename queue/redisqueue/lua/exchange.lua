-- Settles many leases and claims many.
-- ARGV    worker, sequence number, claim, how many acks, how many of them say more,
--         then the acks' refs,
--         then for those that say more: which (from 1), result, output,
--         then for each other settlement: verb (2 nack, 3 release, 4 bury), ref,
--         failure, after, how it is released (0, 1 with backoff, 2 unstarted)
-- Output  settled ('1' or '0' each, the acks first), next look, gone, lease,
--         batches (serial, name, ...), leases (ref, record, committed, ...)
-- The last reply of each worker is kept: the same number again is answered
-- from it and changes nothing.

local worker, seq, want = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local acks, more = tonumber(ARGV[4]), tonumber(ARGV[5])
local MORE = 6 + acks                     -- where they begin
local VERBS, VERB = MORE + 3 * more, 5
local BETWEEN = '\255'                    -- in no ref: an id is UTF-8
local REFS = ':refs'                      -- in no worker's id
local ACKED = '^[^:]+:[^:]+:[^:]+:([^:]+:([^:]+):([^:]+):)(.*)$'
local RECORD = '^([^:]+):%d:%d+:(%d+):()'

-- 1. A number that was answered before.
local gone, state = false, '0'  -- 1: it was let go, 2: it is dead
local kept = call('HGET', P .. 'k', worker)  -- and the refs beside it
if not kept and call('HLEN', P .. 'k') > 64 then
  local all = call('HGETALL', P .. 'k')  -- replies of workers that have long been silent
  for i = 1, #all, 2 do
    local seen = match(all[i + 1], '^%d+ (%d+)')
    if seen and tonumber(seen) < NOW - 3600e6 then call('HDEL', P .. 'k', all[i], all[i] .. REFS) end
  end
end
if kept then
  local last, look, settled
  last, look, state, settled = match(kept, '^(%d+) %d+ (%d+) (%d) ([01]*)$')
  last, gone = tonumber(last), state ~= '0'
  if seq < last then return redis.error_reply('STALE exchange ' .. seq .. ' is older than ' .. last) end
  if seq == last then
    local refs, its, ids = {}, {}, {}
    for ref in string.gmatch(call('HGET', P .. 'k', worker .. REFS) or '', '[^' .. BETWEEN .. ']+') do
      local it = item().parse(ref)
      refs[#refs + 1], its[#its + 1], ids[#ids + 1] = ref, it, it.id
    end
    local records, committed = read('HMGET', P .. 'p', ids), read('HMGET', P .. 'm', ids)
    local names, leases = {}, {}
    for i, ref in ipairs(refs) do
      if records[i] then  -- or it is lost anyway
        for _, v in ipairs({ref, records[i], committed[i] or ''}) do leases[#leases + 1] = v end
        for _, v in ipairs({int(its[i].b), batch(its[i].b).name}) do names[#names + 1] = v end
      end
    end
    return {settled, look, gone and 1 or 0, int(Y.lease), names, leases}
  end
end

-- 2. Settle. Before the sweep, so that a deadline alone ends no token.
overdue()
local refs = {}
for i = 1, acks do refs[i] = ARGV[5 + i] end
for at = VERBS, #ARGV, VERB do refs[#refs + 1] = ARGV[at + 1] end
local held, all = current(refs)
local ended = all and refs or {}
for i = 1, all and 0 or #refs do
  if held[i] then ended[#ended + 1] = refs[i] end
end
local settled = string.rep('1', #refs)
if #ended == 0 then
  insist()
elseif each('ZREM', P .. 'l', ended) < #ended then  -- one of them is there twice
  local seen = {}
  for i, ref in ipairs(refs) do
    held[i] = held[i] and not seen[ref]
    seen[ref] = true
  end
  ended = {}
end
if #ended < #refs then
  local bits = {}
  for i = 1, #refs do bits[i] = held[i] and '1' or '0' end
  settled = join(bits)
end

local results, outputs = {}, {}
for at = MORE, VERBS - 1, 3 do
  local i = tonumber(ARGV[at])
  results[i], outputs[i] = ARGV[at + 1], ARGV[at + 2]
end
local n, acked, done, tried, published, of = 0, {}, {}, {}, {}, {}
for i = 1, acks do
  if held[i] then
    local front, b, tries, id = match(refs[i], ACKED)
    n = n + 1
    acked[n] = id
    done[2 * n - 1], done[2 * n] = id, results[i] and front .. results[i] or front
    of[b] = (of[b] or 0) + 1
    if tries ~= UNTRIED then tried[#tried + 1] = id end
    if outputs[i] and outputs[i] ~= '' then published[id] = outputs[i] end
  end
end
if n > 0 then
  if not Y.bucketEnd or Y.bucketEnd <= NOW then
    set('bucket', NOW)  -- of done records, which are forgotten together
    set('bucketEnd', NOW + math.ceil(Y.retention / 8))
    if not Y.oldest then set('oldest', Y.bucketEnd) end
    call('ZADD', P .. 'ob', int(Y.bucketEnd), int(NOW))
  end
  local bucket = int(Y.bucket)
  for b, k in pairs(of) do
    call('HINCRBY', P .. 'oc:' .. bucket, b, k)
    count(tonumber(b), 'leased', -k)
    count(tonumber(b), 'done', k)
  end
  each('HSET', P .. 'o:' .. bucket, done)
  each('HDEL', P .. 'p', acked)
  if next(published) then item().publish(published, bucket) end
  if #tried > 0 then
    each('HDEL', P .. 'n', tried)
    each('HDEL', P .. 'h', tried)
  end
end
for i = acks + 1, #refs do
  if held[i] then
    local at = VERBS + (i - acks - 1) * VERB
    local verb, text, after, how = ARGV[at], ARGV[at + 2], tonumber(ARGV[at + 3]), ARGV[at + 4]
    local it = item().parse(refs[i])
    count(it.b, 'leased', -1)
    if verb == '2' then
      item().nack(it, text, after)
    elseif verb == '3' and how == '2' then
      place('f', it.p, it.b, {it.id})
    elseif verb == '3' then
      item().release(it, text, after, how == '1')
    else
      it.a = it.a + 1
      item().bury(it, text)
    end
  end
end

sweep(100)
-- marked tells whether anything is committed or was tried before.
local marks
local function marked()
  marks = marks or call('EXISTS', P .. 'm', P .. 'n')
  return marks > 0
end
if n > 0 and marked() then each('HDEL', P .. 'm', acked) end

-- 3. Claim.
local got, granted, names, leases, adds = 0, {}, {}, {}, {}
if want > 0 and not gone and not Y.paused then
  local token, deadline = math.max(Y.token + 1, NOW), int(NOW + Y.lease)
  while got < want do
    local key = call('ZRANGE', P .. 'a', 0, 0)[1]
    if not key then break end
    local kind, p, serial = match(key, '^(%a):(%d):(%d+)$')
    local b = tonumber(serial)
    local ask = math.min(want - got, CHUNK)
    local ids = call('LPOP', P .. key, ask) or {}
    left = #ids == ask and call('EXISTS', P .. key) == 1
    if not left then call('ZREM', P .. 'a', key) end
    if #ids > 0 then
      local records = read('HMGET', P .. 'p', ids)
      local tries = marked() and read('HMGET', P .. 'n', ids)
      local committed = marked() and read('HMGET', P .. 'm', ids)
      if kind == 'f' then each('HDEL', P .. 'e', ids) end
      count_listed(b, -#ids)
      local at = #names
      names[at + 1], names[at + 2] = serial, batch(b).name
      local before, between, had = ':' .. p .. ':' .. worker .. ':', ':' .. serial .. ':', got
      for i = 1, #ids do
        local id, record, tried = ids[i], records[i] or '', tries and tries[i] or UNTRIED
        local digest, output, at = match(record, RECORD)
        if digest and #digest == 16 and at + output - 1 <= #record then
          local ref = int(token + got) .. before .. digest .. between .. tried .. ':' .. id
          got = got + 1
          granted[got] = ref
          adds[2 * got - 1], adds[2 * got] = deadline, ref
          leases[3 * got - 2], leases[3 * got - 1], leases[3 * got] = ref, record, committed and committed[i] or ''
        else
          local a, r = match(tried, '^(%d+)%.(%d+)$')
          item().bury({id = id, b = b, a = tonumber(a), r = tonumber(r)},
            '{"cause":"Error","message":"the stored record is truncated or not of this version"}')
        end
      end
      count(b, 'leased', got - had)
    end
  end
  if got > 0 then
    set('token', token + got - 1)
    each('ZADD', P .. 'l', adds)
    earliest('late', NOW + Y.lease)
  end
end

-- 4. When to look again.
local look = '0'
if want > got and not gone then
  call('DEL', P .. 'w')
  look = int(waiting().patience(worker))
elseif want > 0 then
  changed = true  -- what is left is for others
  if Y.alarm1 and Y.alarm1 > NOW then waiting().attend(worker) end
end
finish()

call('HSET', P .. 'k', worker, ARGV[2] .. ' ' .. int(NOW) .. ' ' .. look .. ' ' .. state .. ' ' .. settled,
  worker .. REFS, join(granted, BETWEEN))
return {settled, look, gone and 1 or 0, int(Y.lease), names, leases}
