import * as Redis from "effect/persistence/Redis"

/**
 * The kernel of the rate limiter, once more, for Redis to run: what it decides from one state for all processes must be what
 * `kernel/rateLimiter.ts` and `kernel/allowance.ts` decide, to the last bit of a double. A property test compares them.
 *
 * KEYS: the state of this limiter, the epoch of the store, the processes of this limiter.
 * ARGV: the request, as `protocol.ts` writes it.
 *
 * Numbers go out as text, because Redis cuts those of Lua to integers.
 */
const source = (clock: string): string =>
  `
local request = cjson.decode(ARGV[1])
${clock}
local instant, tolerance, slices = 1e-3, 1e-6, 100
local max, min, ceil, huge = math.max, math.min, math.ceil, math.huge
local function text(x) return string.format('%.17g', x) end

local function rule_of(l)
  if l[1] == 'token-bucket' or l[1] == 'gcra' then return { interval = l[3] / l[2], burst = l[4], whole = l[4] * (l[3] / l[2]) } end
  return { limit = l[2], span = l[3], whole = l[3] }
end

-- one table of functions for each kind of allowance, made when there is one of it: r is its rule, s its state
local makers = {}
function makers.spaced()
local spaced = {}
function spaced.fresh() return { p = 0 } end
function spaced.used_up(r, at) return { p = at + r.burst * r.interval } end
function spaced.wait(r, s, at, cost)
  if cost > r.burst then return huge end
  local wait = max(s.p, at) - at + (cost - r.burst) * r.interval
  if wait > instant then return wait end
  return 0
end
function spaced.take(r, s, at, cost)
  s.p = max(s.p, at) + cost * r.interval
  return s.p
end
function spaced.give_back(r, s, at, mark, amount)
  local owed = min(mark, s.p) - at
  if owed > 0 then s.p = s.p - min(amount * r.interval, owed) end
end
function spaced.room(r, s, at) return r.burst - max(0, s.p - at) / r.interval end
function spaced.restore(r, at, known) return { p = at - known[1] } end
function spaced.merge(r, at, one, other) return { p = max(one.p, other.p) } end
function spaced.adopt(r, s, at, new) s.p = at + max(0, s.p - at) / r.interval * new.interval end
function spaced.most(r, time) return r.burst + time / r.interval end
function spaced.dump(s) return text(s.p) end
function spaced.until_fresh(r, s, at) return s.p - at end
return spaced
end

function makers.fixed()
local fixed = {}
local function closed(r, s, at) return at - s.o >= r.span - instant end
local function used_at(r, s, at)
  if closed(r, s, at) then return 0 end
  return s.u
end
function fixed.fresh() return { o = 0, u = 0 } end
function fixed.used_up(r, at) return { o = at, u = r.limit } end
function fixed.wait(r, s, at, cost)
  if cost > r.limit then return huge end
  if used_at(r, s, at) + cost > r.limit + tolerance then return s.o + r.span - at end
  return 0
end
function fixed.take(r, s, at, cost)
  s.u = used_at(r, s, at) + cost
  if closed(r, s, at) then s.o = at end
  return s.o
end
function fixed.give_back(r, s, at, mark, amount)
  if mark == s.o and not closed(r, s, at) then s.u = max(0, s.u - amount) end
end
function fixed.room(r, s, at) return r.limit - used_at(r, s, at) end
function fixed.restore(r, at, known) return { o = at - known[1], u = known[2] } end
function fixed.merge(r, at, one, other)
  if used_at(r, one, at) < used_at(r, other, at) then return other end
  return one
end
function fixed.adopt(r, s, at) if closed(r, s, at) then s.o = 0 end end
function fixed.most(r, time) return r.limit * max(1, time / r.span) end
function fixed.dump(s) return text(s.o) .. ' ' .. text(s.u) end
function fixed.until_fresh(r, s, at) return s.o + r.span - at end
return fixed
end

function makers.sliding()
local sliding = { long = true }
local function age(r, s, at)
  local l = s.l
  local gone = 0
  while gone < #l and at - l[gone + 1][2] >= r.span - instant do gone = gone + 1 end
  if gone == 0 then return end
  local left, used = {}, 0
  for i = gone + 1, #l do
    left[#left + 1] = l[i]
    used = used + l[i][3]
  end
  s.l, s.u = left, used
end
function sliding.fresh() return { l = {}, u = 0 } end
function sliding.used_up(r, at) return { l = { { at, at, r.limit } }, u = r.limit } end
function sliding.wait(r, s, at, cost)
  if cost > r.limit then return huge end
  age(r, s, at)
  local over, wait = s.u + cost - r.limit, 0
  for _, slice in ipairs(s.l) do
    if over <= tolerance then break end
    over = over - slice[3]
    wait = slice[2] + r.span - at
  end
  return wait
end
function sliding.take(r, s, at, cost)
  age(r, s, at)
  local last = s.l[#s.l]
  if last and at - last[1] < r.span / slices then
    last[2] = at
    last[3] = last[3] + cost
  else
    s.l[#s.l + 1] = { at, at, cost }
  end
  s.u = s.u + cost
  return at
end
function sliding.give_back(r, s, at, mark, amount)
  age(r, s, at)
  for _, slice in ipairs(s.l) do
    if slice[1] <= mark and mark <= slice[2] then
      local back = min(amount, slice[3])
      slice[3] = slice[3] - back
      s.u = s.u - back
      return
    end
  end
end
function sliding.room(r, s, at)
  age(r, s, at)
  return r.limit - s.u
end
-- the calls of all up to a time, and those of each process after it: what is in both counts once
local function joined(all_at, all, own)
  local s = { l = {}, u = 0, all_at = all_at, all = all, own = own }
  local function add(to, used)
    s.l[#s.l + 1] = { to, to, used }
    s.u = s.u + used
  end
  for _, slice in ipairs(all) do add(slice[1], slice[2]) end
  for _, slice in ipairs(own) do if slice[1] > all_at then add(slice[1], slice[2]) end end
  table.sort(s.l, function(a, b) return a[2] < b[2] end)
  return s
end
function sliding.restore(r, at, known)
  local all, own = {}, {}
  for i = 3, #known, 2 do
    local into = i < 3 + 2 * known[2] and all or own
    into[#into + 1] = { at - known[i], known[i + 1] }
  end
  return joined(at - known[1], all, own)
end
function sliding.merge(r, at, one, other)
  local newer = other.all_at > one.all_at and other or one
  local own = {}
  for _, s in ipairs({ one, other }) do for _, slice in ipairs(s.own) do own[#own + 1] = slice end end
  return joined(newer.all_at, newer.all, own)
end
function sliding.adopt(r, s, at) age(r, s, at) end
function sliding.most(r, time) return r.limit * max(1, time / r.span) end
function sliding.dump(s)
  local out = {}
  for i, slice in ipairs(s.l) do out[i] = text(slice[2]) .. ' ' .. text(slice[3]) end
  return table.concat(out, ' ')
end
function sliding.until_fresh(r, s, at)
  local last = s.l[#s.l]
  return last and last[2] + r.span - at or 0
end
return sliding
end

local made = {}
local function kind_of(l)
  local name = l[1] == 'fixed-window' and 'fixed' or l[1] == 'sliding-window' and 'sliding' or 'spaced'
  if not made[name] then made[name] = makers[name]() end
  return made[name]
end

-- since when this server has had a memory: it says so itself, and a new run of it has forgotten
local function epoch()
  local ok, info = pcall(redis.call, 'INFO', 'server')
  local run = ok and string.match(info, 'run_id:(%x+)') or '-'
  local known = redis.call('GET', KEYS[2])
  if known then
    local since, by = string.match(known, '^(%S+) (%S+)$')
    if by == run then return min(tonumber(since), now) end
  end
  redis.call('SET', KEYS[2], text(now) .. ' ' .. run)
  return now
end

local packed = redis.call('GET', KEYS[1])
local state = packed and cmsgpack.unpack(packed)
local rules, kinds = {}, {}
local function learn(limits)
  for i, l in ipairs(limits) do rules[i], kinds[i] = rule_of(l), kind_of(l) end
end
local function longest()
  local whole = 0
  for _, r in ipairs(rules) do whole = max(whole, r.whole) end
  return whole
end
local function each(make)
  local all = {}
  for i, r in ipairs(rules) do all[i] = make(kinds[i], r, i) end
  return all
end
if state then
  learn(state.limits)
else
  learn(request.limits)
  state = { seen = now, back = 0, version = now, born = now, limits = request.limits }
  local since = epoch()
  local young = request.empty and now - since < longest()
  local function first(kind, r) return young and kind.used_up(r, since) or kind.fresh() end
  state.dims = each(first)
  -- what a process knows of before may still take the place of this
  state.guess, state.until_then = each(first), young and since + longest() or now + request.gone
end

-- for a clock that was set back, no time has passed
if now < state.seen then state.back = state.back + state.seen - now end
state.seen = now
local at = now + state.back

-- The memory was lost, and a process knows what was used: the first one's word takes the place of the guess, to which the
-- difference counts that was granted since. Others add what they know of beyond that.
local known = request.known
if state.until_then and now >= state.until_then then state.guess, state.base, state.until_then = nil, nil, nil end
if known and known.born ~= state.born and state.guess then
  local function word(kind, r, i) return kind.restore(r, at, known.used[i]) end
  local granted = each(function(kind, r, i) return kind.room(r, state.guess[i], at) - kind.room(r, state.dims[i], at) end)
  state.dims, state.base, state.guess = each(word), each(word), nil
  for i, amount in ipairs(granted) do if amount > tolerance then kinds[i].take(rules[i], state.dims[i], at, amount) end end
  -- it is still another one to a process that has noticed nothing: that tells then what it knows
  state.of, state.until_then = known.born, now + request.gone
elseif known and known.born == state.of and state.base then
  for i, r in ipairs(rules) do
    local base = state.base[i]
    local merged = kinds[i].merge(r, at, base, kinds[i].restore(r, at, known.used[i]))
    local more = kinds[i].room(r, base, at) - kinds[i].room(r, merged, at)
    state.base[i] = merged
    if more > tolerance then kinds[i].take(r, state.dims[i], at, more) end
  end
end
local dims = state.dims

local function adopt(i, l)
  local new = rule_of(l)
  kinds[i].adopt(rules[i], dims[i], at, new)
  rules[i], kinds[i], state.limits[i] = new, kind_of(l), l
  state.version = max(now, state.version + 1e-3)
end
local function same(a, b)
  for k = 1, 4 do if a[k] ~= b[k] then return false end end
  return true
end
if request.first then
  for i, l in ipairs(request.limits) do if not same(l, state.limits[i]) then adopt(i, l) end end
end

local function charge(costs)
  local marks = {}
  for i, cost in ipairs(costs) do marks[i] = cost == 0 and '-' or text(kinds[i].take(rules[i], dims[i], at, cost)) end
  return table.concat(marks, ' ')
end
local function forecast(costs)
  local wait, blocking = 0, 1
  for i, cost in ipairs(costs) do
    local own = cost == 0 and 0 or kinds[i].wait(rules[i], dims[i], at, cost)
    if own > wait then wait, blocking = own, i end
  end
  return wait, blocking
end
local function whole_millis(wait) return wait > 0 and max(1, ceil(wait - instant)) or 0 end

local blocked, show = false, request.first
local run = {}
-- take: costs, and how long it may wait
function run.T(op)
  if blocked then return 'b' end
  local costs = op[2]
  local wait, dimension = forecast(costs)
  if wait == 0 then return 'g ' .. charge(costs) end
  show = true
  blocked = whole_millis(wait) <= op[3]
  return (blocked and 'w ' or 'r ') .. text(wait) .. ' ' .. dimension - 1
end
-- ahead: as much of the costs as there is room for, in whole permits
function run.X(op)
  if blocked then return 'n' end
  local part = 1
  for i, cost in ipairs(op[2]) do
    if cost > 0 then part = min(part, kinds[i].room(rules[i], dims[i], at) / cost) end
  end
  local amounts = {}
  for i, cost in ipairs(op[2]) do
    amounts[i] = math.floor(cost * part + tolerance)
    if cost > 0 and amounts[i] < 1 then return 'n' end
  end
  return 'g ' .. charge(amounts) .. ' ' .. table.concat(amounts, ' ')
end
-- give back: amounts, marks
function run.B(op)
  for i, amount in ipairs(op[2]) do
    if amount ~= 0 then kinds[i].give_back(rules[i], dims[i], at, op[3][i], amount) end
  end
  return 'k'
end
-- settle: costs, marks, what it cost
function run.S(op)
  for i, cost in ipairs(op[2]) do
    local difference = cost - op[4][i]
    if difference > 0 then kinds[i].give_back(rules[i], dims[i], at, op[3][i], difference)
    elseif difference < 0 then kinds[i].take(rules[i], dims[i], at, -difference) end
  end
  return 'k'
end
-- charge what was let through while the store was away: costs, when that store was born, the share of a process.
-- A store that was born since counts what came before as used up already.
function run.C(op)
  local costs = op[2]
  if op[3] ~= state.born and op[3] ~= state.of then
    for i, cost in ipairs(costs) do costs[i] = min(cost, op[4] * kinds[i].most(rules[i], at - state.born)) end
  end
  charge(costs)
  return 'k'
end
function run.D()
  show = true
  return 'k'
end
-- alive
function run.H()
  redis.call('ZADD', KEYS[3], text(now), request.id)
  redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', text(now - request.gone))
  redis.call('PEXPIRE', KEYS[3], request.gone)
  return 'k'
end
function run.L()
  redis.call('ZREM', KEYS[3], request.id)
  return 'k'
end

local reply = {}
for i, op in ipairs(request.ops) do reply[i] = run[op[1]](op) end

local keep = 0
for i, r in ipairs(rules) do keep = max(keep, kinds[i].until_fresh(r, dims[i], at)) end
redis.call('SET', KEYS[1], cmsgpack.pack(state), 'PX', text(ceil(keep + longest() + 60000)))

local dumps = {}
for i, r in ipairs(rules) do
  dumps[i] = (show or not kinds[i].long) and kinds[i].dump(dims[i]) or '-'
end
local processes, heard = redis.call('ZCARD', KEYS[3]), redis.call('ZCOUNT', KEYS[3], '(' .. text(request.since), '+inf')
local head = { text(at), text(state.version), text(state.born), tostring(processes), text(now), tostring(heard) }
local limits = {}
for i, l in ipairs(state.limits) do limits[i] = l[1] .. ' ' .. text(l[2]) .. ' ' .. text(l[3]) .. ' ' .. text(l[4]) end
return { table.concat(head, ' '), request.version == state.version and '' or table.concat(limits, '|'), table.concat(dumps, '|'), unpack(reply) }
`.trim()

const redisClock = `
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + tonumber(time[2]) / 1000`

const scriptOf = (
  clock: string
): Redis.Script<{ params: [string, string, string, string]; result: ReadonlyArray<string> }> =>
  Redis.script(
    (state: string, epoch: string, processes: string, request: string) => [state, epoch, processes, request],
    {
      lua: source(clock),
      numberOfKeys: 3
    }
  ).withReturnType<ReadonlyArray<string>>()

/** Everything that a limiter asks of its store is one run of this. */
export const script = scriptOf(redisClock)

/** For tests: the same at the time that the request says. */
export const scriptAt = scriptOf("local now = request.now")
