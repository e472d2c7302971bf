-- dkjson's interface over the switch's own JSON.
local _, core = ...
local M = {version = "dkjson 2.5", using_lpeg = false}

M.null = setmetatable({}, {__tojson = function() return "null" end, __tostring = function() return "null" end})

function M.quotestring(text) return core.encode(tostring(text), M.null) end

local function isarray(t)
  local meta = getmetatable(t)
  local hint = meta and meta.__jsontype
  local n, most = 0, 0
  for k in pairs(t) do
    if k ~= "n" then
      if type(k) ~= "number" or k < 1 or k ~= math.floor(k) then return false end
      n = n + 1
      if k > most then most = k end
    end
  end
  if n == 0 then return hint ~= "object", 0 end
  if hint == "object" or most > 10 and most > 2 * n then return false end
  return true, most
end

local function write(out, v, state, level, seen)
  local meta = type(v) == "table" and getmetatable(v)
  if type(meta) == "table" and meta.__tojson then
    local text, message = meta.__tojson(v, state)
    if not text then error(message or "custom encoder failed", 0) end
    out[#out + 1] = text
    return
  end
  if type(v) ~= "table" then
    if v == nil then v = M.null end
    if type(v) == "function" or type(v) == "userdata" or type(v) == "thread" then
      if state.exception then
        local text, message = state.exception("unsupported type", v, state, "type '" .. type(v) .. "' is not supported by JSON.")
        if text then out[#out + 1] = text return end
        error(message, 0)
      end
      error("type '" .. type(v) .. "' is not supported by JSON.", 0)
    end
    out[#out + 1] = core.encode(v, M.null)
    return
  end
  if seen[v] then error("reference cycle", 0) end
  seen[v] = true
  local newline = state.indent and "\n" .. ("  "):rep(level + 1) or ""
  local array, n = isarray(v)
  local first = true
  if array then
    out[#out + 1] = "["
    for i = 1, n do
      if not first then out[#out + 1] = "," end
      first = false
      out[#out + 1] = newline
      write(out, v[i], state, level + 1, seen)
    end
  else
    out[#out + 1] = "{"
    local done = {}
    local function pair(k, item)
      if done[k] or item == nil then return end
      done[k] = true
      if type(k) ~= "string" and type(k) ~= "number" then error("type '" .. type(k) .. "' is not supported as a key by JSON.", 0) end
      if not first then out[#out + 1] = "," end
      first = false
      out[#out + 1] = newline .. core.encode(tostring(k), M.null) .. (state.indent and ": " or ":")
      write(out, item, state, level + 1, seen)
    end
    for _, k in ipairs(meta and meta.__jsonorder or state.keyorder or {}) do pair(k, v[k]) end
    for k, item in pairs(v) do pair(k, item) end
  end
  if not first and state.indent then out[#out + 1] = "\n" .. ("  "):rep(level) end
  out[#out + 1] = array and "]" or "}"
  seen[v] = nil
end

function M.encode(value, state)
  state = state or {}
  local out = {}
  write(out, value, state, state.level or 0, {})
  return table.concat(out)
end

function M.encodeexception(reason, value, state, message) return '"<' .. message .. '>"' end

function M.decode(text, pos, null, objectmeta, arraymeta)
  if objectmeta == nil then objectmeta = {__jsontype = "object"} end
  if arraymeta == nil then arraymeta = {__jsontype = "array"} end
  local value, stop, message = core.decode(text, pos or 1, null, objectmeta or nil, arraymeta or nil)
  if message then return nil, stop, message end
  return value, stop
end

function M.use_lpeg() return M end

return M
