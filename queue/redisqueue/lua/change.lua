-- Changes single items.
-- ARGV    verb (retry, cancel or delete), ids
-- Output  for each: 'ok', 'not found', 'committed', or the state that forbids it

insist()
local leases
local function lease_of(id)
  if not leases then
    leases = {}
    for _, ref in ipairs(call('ZRANGE', P .. 'l', 0, -1)) do leases[item().parse(ref).id] = ref end
  end
  return leases[id]
end

-- take takes an unfinished item from where it stands. It returns nothing for
-- one that stands nowhere.
local function take(id, p, b)
  if call('HEXISTS', P .. 'm', id) == 1 then return 'committed' end
  local ref = lease_of(id)
  if ref then
    call('ZREM', P .. 'l', ref)
    count(b, 'leased', -1)
    return 'ok'
  end
  for _, kind in ipairs(KINDS) do
    if call('ZREM', P .. 'd', p .. ':' .. b .. ':' .. kind .. ':' .. id) == 1 then
      count(b, 'delayed', -1)
      unsure = true
      return 'ok'
    end
    if item().unlist(kind, p, b, id) then return 'ok' end
  end
end

-- forget removes all that is kept of an item.
local function forget(id, output)
  for _, key in ipairs({'p', 'n', 'h', 'e', 'm', 'x', 'z'}) do call('HDEL', P .. key, id) end
  if output and output ~= '' then call('HDEL', P .. 'u', output) end
end

local function delete_done(id)
  for _, bucket in ipairs(call('ZRANGE', P .. 'ob', 0, -1)) do
    local serial = match(call('HGET', P .. 'o:' .. bucket, id) or '', '^[^:]*:(%d+):')
    local b = serial and tonumber(serial)
    if b and batch(b).known then
      call('HDEL', P .. 'o:' .. bucket, id)
      call('HINCRBY', P .. 'oc:' .. bucket, b, -1)
      count(b, 'done', -1)
      return 'ok'
    end
  end
end

local function change(verb, id)
  local p, b, output = item().header(call('HGET', P .. 'p', id))
  if not p then  -- a dead one may have a record that nobody can read
    local serial = match(call('HGET', P .. 'x', id) or '', '^(%d+):')
    if serial then p, b = 5, tonumber(serial) end
  end
  if not p or not batch(b).known then
    return verb == 'delete' and delete_done(id) or item().finished(id) and 'done' or 'not found'
  end
  local dead = call('HEXISTS', P .. 'x', id) == 1
  local cancelled = call('HEXISTS', P .. 'z', id) == 1 or batch(b).void and not lease_of(id)
  if dead then
    if verb == 'cancel' then return 'dead' end
    if verb == 'retry' and batch(b).void then return 'cancelled' end
    call('HDEL', P .. 'x', id)
    call('HDEL', P .. 'e', id)
    count(b, 'dead', -1)
    if verb == 'retry' then
      call('HSET', P .. 'n', id, RETRIED)
      place('r', p, b, {id})
    else
      forget(id, output)
    end
    return 'ok'
  end
  if verb == 'retry' then return cancelled and 'cancelled' or 'ready' end
  if cancelled then
    if verb == 'cancel' then return 'cancelled' end
    count(b, 'cancelled', -1)
    if batch(b).void then
      for _, kind in ipairs(KINDS) do
        call('LREM', P .. list(kind, p, b), 1, id)
        call('ZREM', P .. 'd', p .. ':' .. b .. ':' .. kind .. ':' .. id)
      end
    end
    forget(id, output)
    return 'ok'
  end
  local state = take(id, p, b)
  if state ~= 'ok' then return state or 'not found' end
  call('HDEL', P .. 'e', id)
  if verb == 'cancel' then
    call('HSET', P .. 'z', id, b)
    count(b, 'cancelled', 1)
  else
    forget(id, output)
  end
  return 'ok'
end

sweep(1000)
local out = {}
for i = 2, #ARGV do out[i - 1] = change(ARGV[1], ARGV[i]) end
finish()
return out
