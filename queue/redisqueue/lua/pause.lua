-- Stops claims, or lets them go on.
-- ARGV    1 to pause, 0 to go on

insist()
set('paused', tonumber(ARGV[1]))
changed, sooner, moved = true, true, true  -- those who wait took no alarms
finish()
return 1
