-- Decides what an item publishes.
-- ARGV    ref, record
-- Output  1, or 0 when the ref is not held

insist()
overdue()
local ref = ARGV[1]
local it = current({ref})[ref]
if not it then
  finish()
  return 0
end
call('ZADD', P .. 'l', 'NX', int(NOW + Y.lease), ref)  -- a lease that came back runs again
call('HSET', P .. 'm', it.id, ARGV[2])
finish()
return 1
