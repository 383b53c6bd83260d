-- KEYS[1] bucket; ARGV: interval and burst in microseconds, cost.
-- Answers 0 when allowed, else the microseconds to wait. The bucket holds the time until which it is used up.
local now = redis.call('TIME')
now = now[1] * 1000000 + now[2]
local interval, burst, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = tonumber(redis.call('GET', KEYS[1]) or '0')
local start = math.max(time, now)
local finish = start + interval * math.max(cost, 1)
if finish > now + burst then
    return finish - now - burst
end
if cost > 0 then
    redis.call('SET', KEYS[1], string.format('%.0f', finish), 'PX', math.ceil((finish - now) / 1000) + 1)
end
return 0
