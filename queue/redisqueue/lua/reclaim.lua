-- Removes the records of deleted batches, some at a time.
-- ARGV    how many, then ids that may be of one (those that no list has)
-- Output  1 while there is more

local function reclaim(ids)
  local records = read('HMGET', P .. 'p', ids)
  for i, id in ipairs(ids) do
    local p, b, output = item().header(records[i])
    if p and not batch(b).known then  -- and not enqueued anew meanwhile
      for _, key in ipairs({'p', 'n', 'h', 'e', 'm', 'x', 'z'}) do call('HDEL', P .. key, id) end
      if output ~= '' and call('HGET', P .. 'u', output) == id then call('HDEL', P .. 'u', output) end
    end
  end
end

local some = {}
for i = 2, #ARGV do some[#some + 1] = ARGV[i] end
if #some > 0 then reclaim(some) end

local left = tonumber(ARGV[1])
while left > 0 do
  local b = call('LINDEX', P .. 'gc', 0)
  if not b then return 0 end
  for p = 1, 9 do
    for _, kind in ipairs(KINDS) do
      if left > 0 then
        local ids = call('LPOP', P .. list(kind, p, b), left) or {}
        left = left - #ids
        if #ids > 0 then reclaim(ids) end
      end
    end
  end
  if left > 0 then call('LPOP', P .. 'gc') end
end
return 1
