-- Ends the leases of a worker that is proven dead, and gives it no more: a claim
-- that it sent before its end may arrive after this. One that gives them back has
-- left, as one that was let go.
-- ARGV    worker, failure, whether to give them back instead of counting an attempt
-- Output  how many

insist()
overdue()
local refs = {}
for _, ref in ipairs(call('ZRANGE', P .. 'l', 0, -1)) do
  if item().parse(ref).worker == ARGV[1] then refs[#refs + 1] = ref end
end
if #refs > 0 and ARGV[3] == '1' then
  each('ZREM', P .. 'l', refs)
  for _, ref in ipairs(refs) do
    local it = item().parse(ref)
    count(it.b, 'leased', -1)
    item().release(it, ARGV[2], 0, false)
  end
elseif #refs > 0 then
  item().expire(refs, ARGV[2])
end
local kept = call('HGET', P .. 'k', ARGV[1])
local seq, state = match(kept or '0 0 0 0 ', '^(%d+) %d+ %d+ (%d)')
state = math.max(state, ARGV[3] == '1' and 1 or 2)
call('HSET', P .. 'k', ARGV[1], seq .. ' ' .. int(NOW) .. ' 0 ' .. int(state) .. ' ', ARGV[1] .. ':refs', '')
call('ZREM', P .. 't', ARGV[1])
finish()
return #refs
