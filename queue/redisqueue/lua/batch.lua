-- Steers a batch. None of it costs anything in proportion to the batch's size:
-- its ready lists leave or join the ones that claims take from, and its counts
-- move from state to state.
-- ARGV    verb, name, after (open alone: a batch, or ''), deadline (open alone: in microseconds, or 0)
-- Output  'ok', 'not found', 'after not found', 'after itself', 'committed', 'followed',
--         'differs', or the deadline which was stated first (in microseconds, or 0)

local verb, name = ARGV[1], ARGV[2]
if verb ~= 'open' then insist() end
local b = tonumber(call('HGET', P .. 'bn', name) or nil)
local key = b and P .. 'b:' .. b

local function open()
  local after = ARGV[3]
  local a = after ~= '' and tonumber(call('HGET', P .. 'bn', after) or nil)
  if after == name then return 'after itself' end
  if after ~= '' and not a then return 'after not found' end
  if b then
    local was = call('HGET', key, 'after') or ''
    if was ~= (a and int(a) or '') then return 'differs' end
    local within = tonumber(call('HGET', key, 'within') or 0)
    if tonumber(ARGV[4]) > 0 and tonumber(ARGV[4]) ~= within then return within end
    return 'ok'
  end
  b = batching().make(name)
  key = P .. 'b:' .. b
  if a then
    call('HSET', key, 'after', a)
    if not batching().complete(a) then
      call('HSET', key, 'waits', 1)
      call('RPUSH', P .. 'fb:' .. a, b)
      call('HSET', P .. 'b:' .. a, 'followed', 1)
    end
  end
  if tonumber(ARGV[4]) > 0 then
    local at = NOW + tonumber(ARGV[4])
    call('HSET', key, 'within', ARGV[4], 'deadline', int(at))
    call('ZADD', P .. 'bd', int(at), b)
    earliest('batchDue', at)
  end
  return 'ok'
end

local function change()
  if not b then
    if verb ~= 'seal' then return 'not found' end
    b = batching().make(name)
    key = P .. 'b:' .. b
  end

  if verb == 'seal' then
    call('HSET', key, 'sealed', 1)
    count(b, 'ready', 0)  -- touched: it may be complete by this
  elseif verb == 'suspend' then
    if call('HGET', key, 'suspended') ~= '1' then
      call('HSET', key, 'suspended', 1)
      batching().detach(b)
      count(b, 'held', batching().counts(b).ready)
    end
  elseif verb == 'resume' then
    if call('HGET', key, 'suspended') == '1' then
      call('HSET', key, 'suspended', 0)
      count(b, 'held', -batching().counts(b).held)
      batches[b] = nil
      batching().attach(b)
    end
  elseif verb == 'cancel' then
    batching().cancel(b, 'Cancelled')
  elseif verb == 'delete' then
    local refused = batching().awaited(b) and 'followed' or batching().publishing(b) and 'committed'
    if refused then return refused end
    for _, it in ipairs(batching().revoke(b)) do place('r', it.p, b, {it.id}) end
    batching().detach(b)
    flush_counts()
    for state, n in pairs(batching().counts(b)) do
      if n ~= 0 then call('HINCRBY', P .. 'c', state, -n) end
    end
    call('ZREM', P .. 'bd', b)
    call('HDEL', P .. 'bn', name)
    call('DEL', key, P .. 'fb:' .. b)
    batches[b], unsure = nil, true
    call('RPUSH', P .. 'gc', b)  -- its records go by and by: see reclaim.lua
  end
  return 'ok'
end

overdue()
moved = true
local out = verb == 'open' and open() or change()
finish()
return out
