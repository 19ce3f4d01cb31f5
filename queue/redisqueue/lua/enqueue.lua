-- Adds items.
-- ARGV    for each item: id, digest, priority, delay, batch, output, payload
-- Output  an outcome for each: 1 added, 2 duplicate, 3 conflict, 4 output taken, 5 batch closed

overdue()
local WIDTH = 7
local n = #ARGV / WIDTH
local ids, outputs = {}, {}
for i = 1, n do
  local at = (i - 1) * WIDTH
  ids[i] = ARGV[at + 1]
  if ARGV[at + 6] ~= '' then outputs[#outputs + 1] = ARGV[at + 6] end
end

-- Digests of what is known, and who publishes what. What a deleted batch left
-- is not known any more.
local known, owner, stale = {}, {}, {}
local function own(key)
  for i, who in ipairs(read('HMGET', key, outputs)) do owner[outputs[i]] = who or owner[outputs[i]] end
end
for i, rec in ipairs(read('HMGET', P .. 'p', ids)) do
  if rec then
    local p, b, output, digest = item().header(rec)
    if not p or batch(b).known then known[ids[i]] = digest or '' else stale[ids[i]] = output end
  end
end
for _, bucket in ipairs(call('ZRANGEBYSCORE', P .. 'ob', int(NOW - Y.retention), '+inf')) do
  for i, rec in ipairs(read('HMGET', P .. 'o:' .. bucket, ids)) do
    if rec then
      local digest, b = match(rec, '^([^:]*):(%d+):')
      if batch(tonumber(b)).known then known[ids[i]] = digest end
    end
  end
  own(P .. 'uo:' .. bucket)
end
own(P .. 'u')

-- taken tells whether another item that is still known publishes an output.
local function taken(output, id)
  local who = owner[output]
  if not who or who == id then return false end
  if known[who] or item().finished(who) then return true end
  local p, b = item().header(call('HGET', P .. 'p', who))
  return p ~= nil and batch(b).known
end

local serials = {}
local function serial(name)
  local b = serials[name]
  if not b then
    b = tonumber(call('HGET', P .. 'bn', name) or nil) or batching().make(name)
    serials[name] = b
  end
  return b
end

local outcomes, records, owners, groups, order = {}, {}, {}, {}, {}
for i = 1, n do
  local at = (i - 1) * WIDTH
  local id, digest, p, wait, name, output, payload = unpack(ARGV, at + 1, at + WIDTH)
  if known[id] then
    outcomes[i] = known[id] == digest and 2 or 3
  elseif output ~= '' and taken(output, id) then
    outcomes[i] = 4
  else
    local b = serial(name)
    local it = batch(b)
    if it.sealed or it.void then
      outcomes[i] = 5
    else
      outcomes[i] = 1
      known[id] = digest
      local old = stale[id]
      if old then
        for _, key in ipairs({'n', 'h', 'e', 'm', 'x', 'z'}) do call('HDEL', P .. key, id) end
        if old ~= '' and old ~= output and call('HGET', P .. 'u', old) == id then
          call('HDEL', P .. 'u', old)
          owner[old] = nil
        end
      end
      records[#records + 1] = id
      records[#records + 1] = digest .. ':' .. p .. ':' .. b .. ':' .. #output .. ':' .. output .. payload
      if output ~= '' then
        owner[output] = id
        owners[#owners + 1] = output
        owners[#owners + 1] = id
      end
      wait = tonumber(wait)
      if wait > 0 then
        later('r', tonumber(p), b, id, NOW + wait)
      else
        local key = p .. ':' .. b
        local g = groups[key]
        if not g then
          g = {p = tonumber(p), b = b, ids = {}}
          groups[key] = g
          order[#order + 1] = g
        end
        g.ids[#g.ids + 1] = id
      end
    end
  end
end

if #records > 0 then each('HSET', P .. 'p', records) end
if #owners > 0 then each('HSET', P .. 'u', owners) end
for _, g in ipairs(order) do place('r', g.p, g.b, g.ids) end
finish()
return outcomes
