-- Renews leases to a full lease from now. None ends sooner by it, though the lease
-- was made shorter: its holder learns of that by this call.
-- ARGV    refs
-- Output  1 or 0 for each: whether it is held

insist()
overdue()
local held = current(ARGV)
local adds, out = {}, {}
for i, ref in ipairs(ARGV) do
  out[i] = held[i] and 1 or 0
  if held[i] then
    adds[#adds + 1] = int(math.max(NOW + Y.lease, tonumber(held[i]) or 0))
    adds[#adds + 1] = ref
  end
end
if #adds > 0 then
  each('ZADD', P .. 'l', adds)
  earliest('late', NOW + Y.lease)
end
finish()
return out
