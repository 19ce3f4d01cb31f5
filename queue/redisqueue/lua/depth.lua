-- Counts.
-- Output  blocked, delayed, ready, leased, done, dead, cancelled, held,
--         until the next due (-1: nothing), whether there is more to sweep, whether it is paused

local more = sweep(1000)
finish()
local v = call('HMGET', P .. 'c', 'blocked', 'delayed', 'ready', 'leased', 'done', 'dead', 'cancelled', 'held')
local out = {}
for i = 1, 8 do out[i] = tonumber(v[i] or 0) end
if Y.paused then out[8] = out[3] end
local due = first('l')
if Y.due and (not due or Y.due < due) then due = Y.due end
out[9] = due and math.max(due - NOW, 0) or -1
out[10] = more and 1 or 0
out[11] = Y.paused and 1 or 0
return out
