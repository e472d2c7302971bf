package lua

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	glua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"
	"github.com/yuin/gopher-lua/parse"
)

// Bounds of sources and of the cache.
const (
	maxSource     = 8 << 20
	maxCached     = 512
	maxInlineSize = 16 << 10 // longer programs given inline are not cached
)

// inlineName is the chunk name of programs given after '~'.
const inlineName = `[string "line"]`

// chunks compiles sources and keeps the compiled form for as long as the file
// does not change.
type chunks struct {
	dir     string
	builtin fs.FS

	mu     sync.Mutex
	cached map[string]*compiled
}

type compiled struct {
	proto *glua.FunctionProto
	size  int64
	mtime time.Time
}

func newChunks(dir string, builtin fs.FS) *chunks {
	return &chunks{dir: dir, builtin: builtin, cached: make(map[string]*compiled)}
}

// path is where a script is looked for first.
func (c *chunks) path(script string) string {
	if filepath.IsAbs(script) {
		return script
	}
	return strings.TrimSuffix(c.dir, "/") + "/" + script
}

// file returns the compiled script, from the directory or the embedded set.
func (c *chunks) file(script string) (*glua.FunctionProto, error) {
	name := c.path(script)
	info, err := os.Stat(name)
	if err != nil {
		if p := c.embedded(script, name); p != nil {
			return p.proto, p.err
		}
		return nil, fmt.Errorf("cannot open %s: %s", name, strerror(err))
	}
	if p := c.lookup(name, info); p != nil {
		return p, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("cannot open %s: %s", name, strerror(err))
	}
	defer f.Close()
	return c.read(f, name, info)
}

// exists reports whether file would find the script.
func (c *chunks) exists(script string) bool {
	if info, err := os.Stat(c.path(script)); err == nil {
		return !info.IsDir()
	}
	if c.builtin == nil || filepath.IsAbs(script) {
		return false
	}
	info, err := fs.Stat(c.builtin, path.Clean(script))
	return err == nil && !info.IsDir()
}

type embeddedResult struct {
	proto *glua.FunctionProto
	err   error
}

// embedded looks a relative name up in the embedded set; nil if it is not there.
func (c *chunks) embedded(script, name string) *embeddedResult {
	if c.builtin == nil || filepath.IsAbs(script) {
		return nil
	}
	f, err := c.builtin.Open(path.Clean(script))
	if err != nil {
		return nil
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || info.IsDir() {
		return nil
	}
	if p := c.lookup(name, info); p != nil {
		return &embeddedResult{proto: p}
	}
	p, err := c.read(f, name, info)
	return &embeddedResult{p, err}
}

func (c *chunks) lookup(name string, info fs.FileInfo) *glua.FunctionProto {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.cached[name]; e != nil && e.size == info.Size() && e.mtime.Equal(info.ModTime()) {
		return e.proto
	}
	return nil
}

func (c *chunks) read(f io.Reader, name string, info fs.FileInfo) (*glua.FunctionProto, error) {
	source, err := io.ReadAll(io.LimitReader(f, maxSource+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %s", name, strerror(err))
	}
	if len(source) > maxSource {
		return nil, fmt.Errorf("cannot read %s: longer than %d bytes", name, maxSource)
	}
	proto, err := compile(string(source), name)
	if err != nil {
		return nil, err
	}
	c.keep(name, &compiled{proto, info.Size(), info.ModTime()})
	return proto, nil
}

// inline returns a program that was given as text.
func (c *chunks) inline(source string) (*glua.FunctionProto, error) {
	if len(source) > maxSource {
		return nil, fmt.Errorf("%s: longer than %d bytes", inlineName, maxSource)
	}
	key := "~" + source
	c.mu.Lock()
	e := c.cached[key]
	c.mu.Unlock()
	if e != nil {
		return e.proto, nil
	}
	proto, err := compile(source, inlineName)
	if err == nil && len(source) <= maxInlineSize {
		c.keep(key, &compiled{proto: proto})
	}
	return proto, err
}

func (c *chunks) keep(key string, e *compiled) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.cached) >= maxCached {
		for old := range c.cached {
			delete(c.cached, old)
			break
		}
	}
	c.cached[key] = e
}

// strerror is the system's text of an error, as C has it.
func strerror(err error) string {
	var number syscall.Errno
	if errors.As(err, &number) {
		text := number.Error()
		return strings.ToUpper(text[:1]) + text[1:]
	}
	if errors.Is(err, fs.ErrNotExist) {
		return "No such file or directory"
	}
	return err.Error()
}

// compile turns source into a function that expects the concatenation function
// and returns the chunk (see rewriter).
func compile(source, name string) (*glua.FunctionProto, error) {
	source, err := plainEscapes(source)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	statements, err := parse.Parse(strings.NewReader(source), name)
	if err != nil {
		return nil, syntaxError(err, name, source)
	}
	proto, err := glua.Compile(wrapChunk(statements), name)
	if err != nil {
		var ce *glua.CompileError
		if errors.As(err, &ce) {
			return nil, fmt.Errorf("%s:%d: %s", name, ce.Line, ce.Message)
		}
		return nil, err
	}
	return proto, nil
}

// syntaxError words the parser's complaint as Lua does.
func syntaxError(err error, name, source string) error {
	var pe *parse.Error
	if !errors.As(err, &pe) {
		return fmt.Errorf("%s: %w", name, err)
	}
	line, near := pe.Pos.Line, "'"+pe.Token+"'"
	if line == parse.EOF {
		return fmt.Errorf("%s:%d: unexpected symbol near <eof>", name, strings.Count(source, "\n")+1)
	}
	switch {
	case strings.Contains(pe.Message, "unterminated"):
		return fmt.Errorf("%s:%d: unfinished string near %s", name, line, near)
	case pe.Message != "syntax error" && pe.Message != "parse error" && !strings.HasPrefix(pe.Message, "Invalid"):
		return fmt.Errorf("%s:%d: %s near %s", name, line, pe.Message, near)
	case pe.Token != "" && (pe.Token[0] == '_' || pe.Token[0] >= 'a' && pe.Token[0] <= 'z' || pe.Token[0] >= 'A' && pe.Token[0] <= 'Z'):
		return fmt.Errorf("%s:%d: syntax error near %s", name, line, near)
	}
	return fmt.Errorf("%s:%d: unexpected symbol near %s", name, line, near)
}

// concatName is the upvalue that holds the concatenation function: no name that a
// program could write.
const concatName = "(concat)"

// wrapChunk makes "local (concat) = ...; return function(...) chunk end" of a
// chunk, in which a .. b is (concat)(a, b). The machine's own concatenation knows
// neither Lua's number format nor a bound for the result.
func wrapChunk(statements []ast.Stmt) []ast.Stmt {
	r := rewriter{}
	r.block(statements)
	fn := &ast.FunctionExpr{ParList: &ast.ParList{HasVargs: true, Names: []string{}}, Stmts: statements}
	local := &ast.LocalAssignStmt{Names: []string{concatName}, Exprs: []ast.Expr{&ast.Comma3Expr{}}}
	return []ast.Stmt{local, &ast.ReturnStmt{Exprs: []ast.Expr{fn}}}
}

// rewriter replaces concatenations, and assignments of several values, throughout a
// syntax tree.
type rewriter struct{}

func (r rewriter) block(list []ast.Stmt) {
	for i, s := range list {
		r.statement(s)
		if a, ok := s.(*ast.AssignStmt); ok && len(a.Lhs) > 1 && len(a.Rhs) > 1 {
			list[i] = parallel(a)
		}
	}
}

// parallel makes a block of an assignment of several values at once, in which all
// expressions are evaluated before anything is assigned. The machine itself stores
// into a local variable as soon as it has its value, so that a, b = b, a would give
// both the same.
func parallel(a *ast.AssignStmt) ast.Stmt {
	var first, then []ast.Stmt
	line := a.Line()
	fresh := func(kind string, i int) *ast.IdentExpr {
		e := &ast.IdentExpr{Value: fmt.Sprintf("(%s %d)", kind, i)}
		e.SetLine(line)
		e.SetLastLine(a.LastLine())
		return e
	}
	hold := func(kind string, i int, e ast.Expr) ast.Expr {
		switch e.(type) {
		case *ast.StringExpr, *ast.NumberExpr, *ast.TrueExpr, *ast.FalseExpr:
			return e
		}
		name := fresh(kind, i)
		s := &ast.LocalAssignStmt{Names: []string{name.Value}, Exprs: []ast.Expr{e}}
		s.SetLine(line)
		s.SetLastLine(a.LastLine())
		first = append(first, s)
		return name
	}
	values := &ast.LocalAssignStmt{Exprs: a.Rhs}
	values.SetLine(line)
	values.SetLastLine(a.LastLine())
	for i, target := range a.Lhs {
		value := fresh("value", i)
		values.Names = append(values.Names, value.Value)
		if t, ok := target.(*ast.AttrGetExpr); ok {
			t.Object, t.Key = hold("object", i, t.Object), hold("key", i, t.Key)
		}
		s := &ast.AssignStmt{Lhs: []ast.Expr{target}, Rhs: []ast.Expr{value}}
		s.SetLine(line)
		s.SetLastLine(a.LastLine())
		then = append([]ast.Stmt{s}, then...) // the last first, as PUC Lua does
	}
	block := &ast.DoBlockStmt{Stmts: append(append(first, values), then...)}
	block.SetLine(line)
	block.SetLastLine(a.LastLine())
	return block
}

func (r rewriter) statement(s ast.Stmt) {
	switch s := s.(type) {
	case *ast.AssignStmt:
		r.list(s.Lhs)
		r.list(s.Rhs)
	case *ast.LocalAssignStmt:
		r.list(s.Exprs)
	case *ast.FuncCallStmt:
		s.Expr = r.expr(s.Expr)
	case *ast.DoBlockStmt:
		r.block(s.Stmts)
	case *ast.WhileStmt:
		s.Condition = r.expr(s.Condition)
		r.block(s.Stmts)
	case *ast.RepeatStmt:
		s.Condition = r.expr(s.Condition)
		r.block(s.Stmts)
	case *ast.IfStmt:
		s.Condition = r.expr(s.Condition)
		r.block(s.Then)
		r.block(s.Else)
	case *ast.NumberForStmt:
		s.Init, s.Limit = r.expr(s.Init), r.expr(s.Limit)
		if s.Step != nil {
			s.Step = r.expr(s.Step)
		}
		r.block(s.Stmts)
	case *ast.GenericForStmt:
		r.list(s.Exprs)
		r.block(s.Stmts)
	case *ast.FuncDefStmt:
		r.block(s.Func.Stmts)
	case *ast.ReturnStmt:
		r.list(s.Exprs)
	}
}

func (r rewriter) list(list []ast.Expr) {
	for i, e := range list {
		list[i] = r.expr(e)
	}
}

func (r rewriter) expr(e ast.Expr) ast.Expr {
	switch e := e.(type) {
	case *ast.AttrGetExpr:
		e.Object, e.Key = r.expr(e.Object), r.expr(e.Key)
	case *ast.TableExpr:
		for _, f := range e.Fields {
			if f.Key != nil {
				f.Key = r.expr(f.Key)
			}
			f.Value = r.expr(f.Value)
		}
	case *ast.FuncCallExpr:
		if e.Func != nil {
			e.Func = r.expr(e.Func)
		}
		if e.Receiver != nil {
			e.Receiver = r.expr(e.Receiver)
		}
		r.list(e.Args)
	case *ast.LogicalOpExpr:
		e.Lhs, e.Rhs = r.expr(e.Lhs), r.expr(e.Rhs)
	case *ast.RelationalOpExpr:
		e.Lhs, e.Rhs = r.expr(e.Lhs), r.expr(e.Rhs)
	case *ast.ArithmeticOpExpr:
		e.Lhs, e.Rhs = r.expr(e.Lhs), r.expr(e.Rhs)
	case *ast.UnaryMinusOpExpr:
		e.Expr = r.expr(e.Expr)
	case *ast.UnaryNotOpExpr:
		e.Expr = r.expr(e.Expr)
	case *ast.UnaryLenOpExpr:
		e.Expr = r.expr(e.Expr)
	case *ast.FunctionExpr:
		r.block(e.Stmts)
	case *ast.StringConcatOpExpr:
		return r.concat(e)
	}
	return e
}

// concat makes one call of a chain of concatenations.
func (r rewriter) concat(e *ast.StringConcatOpExpr) ast.Expr {
	name := &ast.IdentExpr{Value: concatName}
	name.SetLine(e.Line())
	name.SetLastLine(e.LastLine())
	callExpr := &ast.FuncCallExpr{Func: name, AdjustRet: true}
	callExpr.SetLine(e.Line())
	callExpr.SetLastLine(e.LastLine())
	// A call of many arguments takes a register each; longer chains nest.
	const most = 50
	for n := 0; ; n++ {
		callExpr.Args = append(callExpr.Args, single(r.expr(e.Lhs)))
		next, ok := e.Rhs.(*ast.StringConcatOpExpr)
		if !ok || n >= most {
			callExpr.Args = append(callExpr.Args, single(r.expr(e.Rhs)))
			return callExpr
		}
		e = next
	}
}

// single keeps an operand from giving more than one value to the call.
func single(e ast.Expr) ast.Expr {
	switch e := e.(type) {
	case *ast.FuncCallExpr:
		e.AdjustRet = true
	case *ast.Comma3Expr:
		e.AdjustRet = true
	}
	return e
}
