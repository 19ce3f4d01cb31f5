-- What every script of a queue shares, with items.lua, batches.lua and
-- clock.lua after it. A script is these four and its own.
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
--   o:<bucket>  HASH id -> digest:batch:attempts.releases:result   done; ob lists the buckets,
--                                          oc:<bucket>  HASH batch -> how many of it,
--                                          uo:<bucket>  HASH output -> id
-- and beside it:
--   y  HASH  policy and clockwork          c, b:<batch>  HASH  counts
--   n  HASH id -> attempts.releases        h  HASH id -> failures, a line each
--   e  HASH id -> ref                      leases that expired and whose item nobody else has got yet
--   m  HASH id -> record                   committed, not acked
--   u  HASH output -> id                   of what is not done
--   k  HASH worker -> its last reply, <worker>:refs -> the leases in it
--   w  LIST                                the doorbell: idle workers block on it
--   t  ZSET worker -> when                 who looks next without a ring
--   z  HASH id -> batch                    cancelled one by one; a cancelled batch keeps its lists
--   bn HASH name -> batch                  bd ZSET batch -> deadline
--   fb:<batch>  LIST of batches            that begin when this one is complete
--   ev CHANNEL                             told of every change

local P = KEYS[1]
local call, format, match = redis.call, string.format, string.match
local time = call('TIME')
local NOW = time[1] * 1000000 + time[2]

local CHUNK = 1000     -- arguments a call: unpack has a stack to fill
local TURN = 1000000   -- between two looks for a ring that was lost
local RINGS = 2        -- a ring taken by a worker that is killed leaves another
local FAILURES = 8     -- kept of an item: the first and the newest
local UNTRIED = '0.0'  -- attempts and releases of most items
local RETRIED = '0.00' -- of one that was dead: none count, but its failures are kept

-- Numbers of this size need a format: tostring gives 1.7e+15. A number in a
-- string costs as much as a command, so that what comes as a string stays one.
local function int(n) return format('%d', n) end

-- drawer keeps functions that few calls need: to make them all would cost most
-- calls more than their work does. It makes them when it is first opened.
local function drawer(make)
  local made
  return function()
    made = made or make()
    return made
  end
end

-- insist lets a script write though the server's memory is full. The server
-- refuses what may grow only as a script's first write, and this one cannot.
local function insist() call('ZREM', P .. 'l', '') end

-- each hands a list to a command, and adds up what it answers.
local function each(cmd, key, list)
  local n = #list
  if n <= CHUNK then return call(cmd, key, unpack(list)) end
  local sum = 0
  for i = 1, n, CHUNK do
    local part = call(cmd, key, unpack(list, i, math.min(i + CHUNK - 1, n)))
    sum = sum + (tonumber(part) or 0)
  end
  return sum
end

-- read hands a list to a command, and strings its answers together.
local function read(cmd, key, list)
  local n = #list
  if n == 0 then return {} end
  if n <= CHUNK then return call(cmd, key, unpack(list)) end
  local all = {}
  for i = 1, n, CHUNK do
    local part = call(cmd, key, unpack(list, i, math.min(i + CHUNK - 1, n)))
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

-- The clockwork and the policy that every call looks at, read once and written
-- when changed. No lease ends before late; due is when the first delay does.
local v = call('HMGET', P .. 'y', 'lease', 'retention', 'paused', 'token', 'due', 'late',
  'batchDue', 'bucket', 'bucketEnd', 'oldest', 'alarm1')
local function number(i) return v[i] and tonumber(v[i]) end
local Y, dirty = {
  lease = number(1) or LEASE, retention = number(2) or RETENTION, paused = v[3] == '1', token = number(4) or 0,
  due = number(5), late = number(6), batchDue = number(7), bucket = number(8), bucketEnd = number(9),
  oldest = number(10), alarm1 = number(11),
}, {}
local function set(field, value)
  Y[field], dirty[field] = value, value or ''
end

-- earliest moves one of the two up.
local function earliest(field, at)
  if Y[field] and Y[field] <= at then return false end
  set(field, at)
  return true
end

-- Counts change by the sum of what a call did to them.
local delta = {}
local function count(b, state, n)
  local of = delta[b]
  if not of then of = {}; delta[b] = of end
  of[state] = (of[state] or 0) + n
end

-- A batch by its serial number: its name and whether its lists may be taken
-- from. It waits for another batch, is suspended by a person, or is void: it
-- was cancelled. One that is not known was deleted.
local batches = {}
local function batch(b)
  local it = batches[b]
  if it then return it end
  local v = call('HMGET', P .. 'b:' .. b, 'name', 'sealed', 'suspended', 'waits', 'void', 'followed')
  it = {name = v[1] or '', sealed = v[2] == '1', suspended = v[3] == '1', waits = v[4] == '1',
    void = v[5] == '1', followed = v[6] == '1', known = v[1] ~= false}
  batches[b] = it
  return it
end

local changed, sooner = false, false  -- something became ready; the earliest due time moved up
local unsure = false  -- something delayed may wait no more, and have been the earliest

-- count_listed counts ids that enter (n > 0) or leave a ready list.
local function count_listed(b, n)
  local it = batch(b)
  count(b, it.waits and 'blocked' or 'ready', n)
  if it.suspended and not it.waits then count(b, 'held', n) end
end

local KINDS = {'f', 'r'}
local function list(kind, p, b) return kind .. ':' .. p .. ':' .. b end

-- offer lets claims take from a list.
local function offer(kind, p, b)
  call('ZADD', P .. 'a', int((9 - p) * 1e13 + (kind == 'f' and 0 or 1e12) + b), list(kind, p, b))
  changed = true
end

local function place(kind, p, b, ids)
  each('RPUSH', P .. list(kind, p, b), ids)
  local it = batch(b)
  if it.void then return count(b, 'cancelled', #ids) end  -- kept to be listed
  count_listed(b, #ids)
  if not it.suspended and not it.waits then offer(kind, p, b) end
end

local function later(kind, p, b, id, at)
  if batch(b).void then return place(kind, p, b, {id}) end
  call('ZADD', P .. 'd', int(at), p .. ':' .. b .. ':' .. kind .. ':' .. id)
  count(b, 'delayed', 1)
  if earliest('due', at) then sooner = true end
end
