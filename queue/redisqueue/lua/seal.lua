-- Says that nothing more joins a batch, which it makes if need be.
-- ARGV    name

local b = call('HGET', P .. 'bn', ARGV[1])
if not b then
  b = call('HINCRBY', P .. 'y', 'batches', 1)
  call('HSET', P .. 'bn', ARGV[1], b)
  call('HSET', P .. 'b:' .. b, 'name', ARGV[1], 'created', int(NOW))
end
call('HSET', P .. 'b:' .. b, 'sealed', 1)
return 1
