-- Decides what an item publishes.
-- ARGV    ref, record
-- Output  1, or 0 when the ref is not held

insist()
overdue()
local held = current({ARGV[1]})[1]
if held then call('HSET', P .. 'm', item().parse(ARGV[1]).id, ARGV[2]) end
finish()
return held and 1 or 0
