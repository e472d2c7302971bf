-- LTN12: sources, sinks, filters and pumps, as LuaSocket's module of that name.
local M = {source = {}, sink = {}, filter = {}, pump = {}, BLOCKSIZE = 2048, _VERSION = "LTN12 1.0.3"}
local source, sink, filter, pump = M.source, M.sink, M.filter, M.pump

function source.empty() return function() return nil end end
function source.error(message) return function() return nil, message end end

function source.string(text)
  if not text then return source.empty() end
  local at = 1
  return function()
    local piece = text:sub(at, at + M.BLOCKSIZE - 1)
    at = at + M.BLOCKSIZE
    if piece ~= "" then return piece end
  end
end

function source.table(list)
  local i = 0
  return function()
    i = i + 1
    return list[i]
  end
end

function source.file(handle, message)
  if not handle then return source.error(message or "unable to open file") end
  return function()
    local piece = handle:read(M.BLOCKSIZE)
    if not piece then handle:close() end
    return piece
  end
end

function source.simplify(src)
  return function()
    local piece, replaced = src()
    src = replaced or src
    if not piece then return nil, replaced end
    return piece
  end
end

function source.rewind(src)
  local waiting = {}
  return function(piece)
    if piece then
      waiting[#waiting + 1] = piece
      return
    end
    if #waiting > 0 then return table.remove(waiting) end
    return src()
  end
end

function source.cat(...)
  local list, i = {...}, 1
  return function()
    while list[i] do
      local piece, message = list[i]()
      if piece then return piece end
      if message then return nil, message end
      i = i + 1
    end
  end
end

function source.chain(src, ...)
  for _, f in ipairs({...}) do
    local inner, done = src, false
    src = function()
      while not done do
        local piece, message = inner()
        if message then return nil, message end
        done = piece == nil
        local out = f(piece)
        if out and (out ~= "" or done) then return out end
      end
    end
  end
  return src
end

function sink.null() return function() return 1 end end
function sink.error(message) return function() return nil, message end end

function sink.table(list)
  list = list or {}
  return function(piece)
    if piece then list[#list + 1] = piece end
    return 1
  end, list
end

function sink.file(handle, message)
  if not handle then return sink.error(message or "unable to open file") end
  return function(piece)
    if piece then return handle:write(piece) and 1 end
    handle:close()
    return 1
  end
end

function sink.simplify(snk)
  return function(piece, message)
    local ok, replaced = snk(piece, message)
    if not ok then return nil, replaced end
    snk = replaced or snk
    return 1
  end
end

function sink.chain(...)
  local list = {...}
  local snk = table.remove(list)
  for i = #list, 1, -1 do
    local f, inner = list[i], snk
    snk = function(piece, message)
      if piece == "" then return 1 end
      local out = f(piece)
      if out and out ~= "" then
        local ok, why = inner(out, message)
        if not ok then return nil, why end
      end
      if piece == nil then return inner(nil, message) end
      return 1
    end
  end
  return snk
end

function filter.cycle(low, context, extra)
  return function(piece)
    local out
    out, context = low(context, piece, extra)
    return out
  end
end

function filter.chain(...)
  local list = {...}
  return function(piece)
    for _, f in ipairs(list) do
      local ending = piece == nil
      piece = f(piece)
      if piece == nil and not ending then return "" end
    end
    return piece
  end
end

function pump.step(src, snk)
  local piece, message = src()
  local ok, why = snk(piece, message)
  if piece and ok then return 1 end
  return nil, message or why
end

function pump.all(src, snk, step)
  if type(step) ~= "function" then step = pump.step end -- it may be the list of sink.table
  while true do
    local ok, message = step(src, snk)
    if not ok then
      if message then return nil, message end
      return 1
    end
  end
end

return M
