-- States values of the policy.
-- ARGV    force (1 or 0), then field, value, ...
-- Output  {1, field, in force, stated} for a contradiction, nothing changed;
--         else {0, lease, backoffLimit, retryDelay, retryDelayMax, disruptionLimit, retention}

for i = 2, #ARGV, 2 do
  local was = call('HGET', P .. 'y', ARGV[i])
  if was and was ~= ARGV[i + 1] and ARGV[1] ~= '1' then return {1, ARGV[i], was, ARGV[i + 1]} end
end
for i = 2, #ARGV, 2 do call('HSET', P .. 'y', ARGV[i], ARGV[i + 1]) end
local v = call('HMGET', P .. 'y', 'lease', 'backoffLimit', 'retryDelay', 'retryDelayMax', 'disruptionLimit', 'retention')
local default = {LEASE, BACKOFF_LIMIT, RETRY_DELAY, RETRY_DELAY_MAX, DISRUPTION_LIMIT, RETENTION}
local out = {0}
for i = 1, #default do out[i + 1] = v[i] or int(default[i]) end
return out
