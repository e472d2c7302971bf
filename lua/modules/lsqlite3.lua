-- lsqlite3's interface over the switch's own SQLite.
local _, core = ...
local M = {OK = 0, ERROR = 1, BUSY = 5, LOCKED = 6, READONLY = 8, CONSTRAINT = 19, MISUSE = 21, ROW = 100, DONE = 101}

local db, statement = {}, {}
db.__index, statement.__index = db, statement

local function new(dsn)
  local handle, message = core.open(dsn)
  if not handle then return nil, M.ERROR, message end
  return setmetatable({handle = handle, code = M.OK, message = "not an error"}, db)
end

function M.open(file)
  if file == nil or file == "" or file == ":memory:" then return new(core.memory()) end
  return new(core.file(file))
end

function M.open_memory() return new(core.memory()) end
function M.version() local d = M.open_memory() local v for row in d:urows("select sqlite_version()") do v = row end d:close() return v end
function M.complete(sql) return sql:match(";%s*$") ~= nil end

function db:run(sql)
  if not self.handle then error("attempt to use closed sqlite database", 3) end
  local names, rows, changed, asked = core.run(self.handle, sql)
  if not names then
    self.code, self.message = M.ERROR, rows
    return nil
  end
  self.code, self.message = M.OK, "not an error"
  if not asked then self.changed = changed end
  return names, rows
end

local function named(names, row)
  local t = {}
  for i, n in ipairs(names) do t[n] = row[i] end
  return t
end

function db:exec(sql, fn, data)
  local names, rows = self:run(sql)
  if not names then return self.code end
  if fn then
    for _, row in ipairs(rows) do
      local values = {}
      for i = 1, #names do values[i] = row[i] ~= nil and tostring(row[i]) or nil end
      if fn(data, #names, values, names) ~= 0 then
        self.code, self.message = 4, "query aborted"
        return self.code
      end
    end
  end
  return self.code
end
db.execute = db.exec

local function each(self, sql, give)
  local names, rows = self:run(sql)
  if not names then error(self.message, 3) end
  local i = 0
  return function()
    i = i + 1
    if rows[i] then return give(names, rows[i]) end
  end
end

function db:nrows(sql) return each(self, sql, named) end
function db:rows(sql) return each(self, sql, function(_, row) return row end) end
function db:urows(sql) return each(self, sql, function(names, row) return table.unpack(row, 1, #names) end) end
function db:changes() return self.changed or 0 end
function db:total_changes() for n in self:urows("select total_changes()") do return n end end
function db:last_insert_rowid() for n in self:urows("select last_insert_rowid()") do return n end end
function db:errcode() return self.code end
db.error_code = db.errcode
function db:errmsg() return self.message end
db.error_message = db.errmsg
function db:isopen() return self.handle ~= nil end
function db:busy_timeout() return M.OK end
function db:close()
  if self.handle then core.close(self.handle) end
  self.handle = nil
  return M.OK
end
db.close_vm = function() return M.OK end

function db:prepare(sql)
  local parts, message = core.parameters(sql)
  if not parts then
    self.code, self.message = M.ERROR, message
    return nil, M.ERROR
  end
  if not self:run("EXPLAIN " .. core.filled(parts, {})) then return nil, self.code end
  return setmetatable({db = self, parts = parts, values = {}, at = 0}, statement)
end

function statement:bind(i, value) self.values[i] = value return M.OK end
function statement:bind_values(...)
  self.values = {}
  for i = 1, select("#", ...) do self.values[i] = (select(i, ...)) end
  return M.OK
end
function statement:bind_names(t)
  for i, n in ipairs(self.parts.names) do
    local value = t[n]
    if value == nil then value = t[tonumber(n) or i] end
    self.values[i] = value
  end
  return M.OK
end
function statement:bind_parameter_count() return #self.parts.names end
function statement:reset() self.names, self.results, self.at = nil, nil, 0 return M.OK end

function statement:start()
  if self.results then return true end
  self.names, self.results = self.db:run(core.filled(self.parts, self.values))
  self.at = 0
  return self.names ~= nil
end

function statement:step()
  if not self:start() then return self.db.code end
  self.at = self.at + 1
  return self.results[self.at] and M.ROW or M.DONE
end

function statement:get_value(i) return self.results[self.at][i + 1] end
function statement:get_values() return self.results[self.at] end
function statement:get_named_values() return named(self.names, self.results[self.at]) end
function statement:get_uvalues() return table.unpack(self.results[self.at], 1, #self.names) end
function statement:get_names() self:start() return self.names or {} end
function statement:get_name(i) return self:get_names()[i + 1] end
function statement:columns() return #self:get_names() end
function statement:last_insert_rowid() return self.db:last_insert_rowid() end
local function walk(give)
  return function(self)
    self:reset()
    return function()
      if self:step() == M.ROW then return give(self) end
    end
  end
end
statement.nrows, statement.rows, statement.urows = walk(statement.get_named_values), walk(statement.get_values), walk(statement.get_uvalues)
function statement:isopen() return self.db.handle ~= nil end
function statement:finalize() self.results = nil return M.OK end

return M
