-- Stops claims, or lets them go on.
-- ARGV    1 to pause, 0 to go on

insist()
call('HSET', P .. 'y', 'paused', ARGV[1])
Y.paused = ARGV[1] == '1'
changed, sooner, moved = true, true, true  -- those who wait took no alarms
finish()
return 1
