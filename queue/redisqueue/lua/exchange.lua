-- Settles many leases and claims many.
-- ARGV    worker, sequence number, claim, then for each settlement:
--         verb (1 ack, 2 nack, 3 release, 4 bury), ref, result or failure, after,
--         how it is released (0, 1 with backoff, 2 unstarted)
-- Output  settled ('1' or '0' each), next look, gone, lease, batch names (serial, name, ...),
--         leases (ref, record, committed, ...)
-- The last reply of each worker is kept: the same number again is answered
-- from it and changes nothing.

local worker, seq, want = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local SETTLE, WIDTH = 4, 5

-- answer builds the reply from the leases that it grants. One whose record is
-- gone meanwhile (a reply that is sent again) is left out: it is lost anyway.
local function answer(settled, got, look, gone)
  local again, committed = {}, {}
  for _, it in ipairs(got) do
    if it.a + it.r > 0 then again[#again + 1] = it.id end
  end
  if #again > 0 then
    for i, rec in ipairs(read('HMGET', P .. 'm', again)) do committed[again[i]] = rec end
  end
  local leases, names, named = {}, {}, {}
  for _, it in ipairs(got) do
    if it.record then
      leases[#leases + 1] = it.ref
      leases[#leases + 1] = it.record
      leases[#leases + 1] = committed[it.id] or ''
      if not named[it.b] then
        named[it.b] = true
        names[#names + 1] = int(it.b)
        names[#names + 1] = batch(it.b).name
      end
    end
  end
  return {settled, int(look), gone and 1 or 0, int(Y.lease), names, leases}
end

-- 1. A number that was answered before.
local gone = false
local kept = call('HGET', P .. 'k', worker)
if not kept and call('HLEN', P .. 'k') > 64 then
  local all = call('HGETALL', P .. 'k')  -- replies of workers that have long been silent
  for i = 1, #all, 2 do
    if tonumber(string.match(all[i + 1], '^%d+ (%d+)')) < NOW - 3600e6 then call('HDEL', P .. 'k', all[i]) end
  end
end
if kept then
  local last, look, left, settled, from = string.match(kept, '^(%d+) %d+ (%d+) (%d) ([01]*) ()')
  last, gone = tonumber(last), left == '1'
  if seq < last then return redis.error_reply('STALE exchange ' .. seq .. ' is older than ' .. last) end
  if seq == last then
    local got = {}
    while from <= #kept do
      local len, at = string.match(kept, '^(%d+) ()', from)
      from = at + len
      local it = parse(string.sub(kept, at, from - 1))
      it.record = call('HGET', P .. 'p', it.id)
      got[#got + 1] = it
    end
    return answer(settled, got, tonumber(look), gone)
  end
end

-- 2. Settle. Before the sweep, so that a deadline alone ends no token.
insist()
overdue()
local refs = {}
for at = SETTLE, #ARGV, WIDTH do refs[#refs + 1] = ARGV[at + 1] end
local held = current(refs)
local bits, settled, done, acked, once_more, of = {}, {}, {}, {}, {}, {}
for i, ref in ipairs(refs) do
  local it = held[ref]
  if it then
    held[ref] = nil
    bits[i] = '1'
    local verb, _, text, after, how = unpack(ARGV, SETTLE + (i - 1) * WIDTH, SETTLE + i * WIDTH - 1)
    settled[#settled + 1] = ref
    count(it.b, 'leased', -1)
    if verb == '1' then
      acked[#acked + 1] = it.id
      if it.a + it.r > 0 then once_more[#once_more + 1] = it.id end
      done[#done + 1] = it.id
      done[#done + 1] = it.digest .. ':' .. it.b .. ':' .. (it.a + 1) .. ':' .. text
      count(it.b, 'done', 1)
      of[it.b] = (of[it.b] or 0) + 1
    elseif verb == '2' then
      nack(it, text, tonumber(after))
    elseif verb == '3' and how == '2' then
      place('f', it.p, it.b, {it.id})
    elseif verb == '3' then
      release(it, text, tonumber(after), how == '1')
    else
      it.a = it.a + 1
      bury(it, text)
    end
  else
    bits[i] = '0'
  end
end
if #settled > 0 then each('ZREM', P .. 'l', settled) end
if #acked > 0 then
  if not Y.bucketEnd or Y.bucketEnd <= NOW then
    set('bucket', NOW)  -- of done records, which are forgotten together
    set('bucketEnd', NOW + math.ceil(Y.retention / 8))
    if not Y.oldest then set('oldest', Y.bucketEnd) end
    call('ZADD', P .. 'ob', int(Y.bucketEnd), int(NOW))
  end
  for b, k in pairs(of) do call('HINCRBY', P .. 'oc:' .. int(Y.bucket), b, k) end
  each('HSET', P .. 'o:' .. int(Y.bucket), done)
  each('HDEL', P .. 'p', acked)
  if call('EXISTS', P .. 'm') == 1 then each('HDEL', P .. 'm', acked) end
  if #once_more > 0 then
    each('HDEL', P .. 'n', once_more)
    each('HDEL', P .. 'h', once_more)
  end
end

sweep(100)

-- 3. Claim.
local got = {}
if want > 0 and not gone and Y.paused ~= 1 then
  local token = math.max((Y.token or 0) + 1, NOW)
  while #got < want do
    local key = call('ZRANGE', P .. 'a', 0, 0)[1]
    if not key then break end
    local kind, p, b = string.match(key, '^(%a):(%d):(%d+)$')
    b = tonumber(b)
    local ask = math.min(want - #got, CHUNK)
    local ids = call('LPOP', P .. key, ask) or {}
    if #ids < ask or call('EXISTS', P .. key) == 0 then call('ZREM', P .. 'a', key) end
    if #ids > 0 then
      local records = read('HMGET', P .. 'p', ids)
      local tries = call('EXISTS', P .. 'n') == 1 and read('HMGET', P .. 'n', ids) or {}
      if kind == 'f' then each('HDEL', P .. 'e', ids) end
      count_listed(b, -#ids)
      local place = ':' .. p .. ':' .. int(b) .. ':'
      for i, id in ipairs(ids) do
        local a, r = 0, 0
        if tries[i] then a, r = string.match(tries[i], '^(%d+)%.(%d+)$') end
        local digest, output, at = string.match(records[i] or '', '^([%w_-]+):%d:%d+:(%d+):()')
        if digest and #digest == 16 and at + output - 1 <= #records[i] then
          local ref = int(token) .. place .. a .. '.' .. r .. ':' .. digest .. ':' .. worker .. ':' .. id
          token = token + 1
          got[#got + 1] = {ref = ref, b = b, a = tonumber(a), r = tonumber(r), id = id, record = records[i]}
          count(b, 'leased', 1)
        else
          bury({id = id, b = b, a = tonumber(a), r = tonumber(r)},
            '{"cause":"Error","message":"the stored record is truncated or not of this version"}')
        end
      end
    end
  end
  if #got > 0 then
    set('token', token - 1)
    local adds, deadline = {}, int(NOW + Y.lease)
    for i, it in ipairs(got) do
      adds[2 * i - 1], adds[2 * i] = deadline, it.ref
    end
    each('ZADD', P .. 'l', adds)
  end
end

-- 4. When to look again.
local look = 0
if want > #got and not gone then
  call('DEL', P .. 'w')
  look = patience(worker)
elseif want > 0 then
  changed = true  -- what is left is for others
  attend(worker)
end
finish()

local parts = {}
for _, it in ipairs(got) do parts[#parts + 1] = #it.ref .. ' ' .. it.ref end
local answers = join(bits)
call('HSET', P .. 'k', worker,
  int(seq) .. ' ' .. int(NOW) .. ' ' .. int(look) .. ' ' .. (gone and 1 or 0) .. ' ' .. answers .. ' ' .. join(parts))
return answer(answers, got, look, gone)
