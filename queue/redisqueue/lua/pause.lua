-- Stops claims, or lets them go on.
-- ARGV    1 to pause, 0 to go on

set('paused', tonumber(ARGV[1]))
changed = true
finish()
return 1
