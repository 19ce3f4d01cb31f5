-- Lets a worker go if nothing is claimable and nothing comes due.
-- ARGV    worker, idle
-- Output  1 when it may leave

insist()
sweep(100)
local due = coming(1000)
finish()
local quiet = Y.paused or call('EXISTS', P .. 'a') == 0
if not quiet or (due and due <= NOW + tonumber(ARGV[2])) then return 0 end
-- Its last reply stays: who asked may be another than the worker, and the reply
-- may not have come.
local kept = call('HGET', P .. 'k', ARGV[1]) or '0 0 0 0 '
local seq, look, state, settled = match(kept, '^(%d+) %d+ (%d+) (%d) ([01]*)$')
call('HSET', P .. 'k', ARGV[1], seq .. ' ' .. int(NOW) .. ' ' .. look .. ' ' .. math.max(state, 1) .. ' ' .. settled)
call('ZREM', P .. 't', ARGV[1])
local bell = P .. 'w:' .. ARGV[1]  -- its own, if another has asked for it
call('RPUSH', bell, '1')
call('PEXPIRE', bell, 60000)
return 1
