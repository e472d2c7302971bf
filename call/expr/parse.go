package expr

import "strconv"

// token is a sign, a number or a name.
type token struct {
	kind  byte // the sign itself, '0' for a number, 'a' for a name, 0 at the end
	text  string
	value float64
}

// maxName is the longest name or number.
const maxName = 255

type parser struct {
	tokens []token
	pos    int
	depth  int
	vars   map[string]*float64
}

// scan cuts the text into tokens. A # starts a comment to the end of its line.
func (p *parser) scan(text string) error {
	for i := 0; i < len(text); i++ {
		start := i
		switch c := text[i]; {
		case c == '#':
			for i < len(text) && text[i] != '\n' && text[i] != '\r' {
				i++
			}
		case c == ' ' || c >= '\t' && c <= '\r':
		case c == '(' || c == ')' || c == '+' || c == '-' || c == '*' || c == '/' || c == '^' ||
			c == '&' || c == ';' || c == ',' || c == '=':
			p.tokens = append(p.tokens, token{kind: c})
		case c == '.' || isDigit(c):
			i = digitsEnd(text, i)
			if i < len(text) && text[i] == '.' {
				i = digitsEnd(text, i+1)
			}
			if i-start > maxName {
				return ErrSyntax
			}
			// A dot alone is a number too, and it is 0.
			value, err := strconv.ParseFloat(text[start:i], 64)
			if err != nil && text[start:i] != "." {
				return ErrSyntax
			}
			p.tokens = append(p.tokens, token{kind: '0', value: value})
			i--
		case c == '_' || isLetter(c):
			for i < len(text) && (text[i] == '_' || isLetter(text[i]) || isDigit(text[i])) {
				i++
			}
			if i-start > maxName {
				return ErrSyntax
			}
			p.tokens = append(p.tokens, token{kind: 'a', text: text[start:i]})
			i--
		default:
			return ErrSyntax
		}
	}
	return nil
}

func digitsEnd(s string, i int) int {
	for i < len(s) && isDigit(s[i]) {
		i++
	}
	return i
}

func isDigit(c byte) bool  { return c >= '0' && c <= '9' }
func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

func (p *parser) peek(ahead int) token {
	if p.pos+ahead < len(p.tokens) {
		return p.tokens[p.pos+ahead]
	}
	return token{}
}

// take goes past a sign if it comes next.
func (p *parser) take(kind byte) bool {
	if p.peek(0).kind != kind {
		return false
	}
	p.pos++
	return true
}

// program reads all statements; each ends with a semicolon and none is empty.
func (p *parser) program() ([]node, error) {
	var statements []node
	for p.pos < len(p.tokens) {
		n, err := p.statement()
		if err != nil {
			return nil, err
		}
		if !p.take(';') {
			return nil, ErrSyntax
		}
		statements = append(statements, n)
	}
	if len(statements) == 0 {
		return nil, ErrSyntax
	}
	return statements, nil
}

// statement reads name = statement, or a sum.
func (p *parser) statement() (node, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, ErrTooMuch
	}
	defer func() { p.depth-- }()
	if p.peek(0).kind != 'a' || p.peek(1).kind != '=' {
		return p.sum()
	}
	target, err := p.variable(p.peek(0).text)
	if err != nil {
		return nil, err
	}
	p.pos += 2
	value, err := p.statement()
	if err != nil {
		return nil, err
	}
	return func(r *run) (float64, error) {
		v, err := r.eval(value)
		if err == nil {
			*target = v
		}
		return v, err
	}, nil
}

// variable finds or makes a variable.
func (p *parser) variable(name string) (*float64, error) {
	if _, ok := constants[name]; ok {
		return nil, ErrConstant
	}
	if p.vars[name] == nil {
		p.vars[name] = new(float64)
	}
	return p.vars[name], nil
}

// chain reads operands with the given operators between them, grouping to the
// left.
func (p *parser) chain(operand func() (node, error), ops map[byte]func(x, y float64) (float64, error)) (node, error) {
	left, err := operand()
	for err == nil {
		op, ok := ops[p.peek(0).kind]
		if !ok {
			return left, nil
		}
		p.pos++
		var right node
		if right, err = operand(); err == nil {
			left = operate(left, right, op)
		}
	}
	return nil, err
}

var (
	sums     = map[byte]func(x, y float64) (float64, error){'+': add, '-': subtract}
	products = map[byte]func(x, y float64) (float64, error){'*': multiply, '/': divide}
	powers   = map[byte]func(x, y float64) (float64, error){'^': power}
)

func (p *parser) sum() (node, error)     { return p.chain(p.product, sums) }
func (p *parser) product() (node, error) { return p.chain(p.power, products) }
func (p *parser) power() (node, error)   { return p.chain(p.signed, powers) }

// signed reads the signs in front of an operand; they bind closer than a power.
func (p *parser) signed() (node, error) {
	negative := false
	for {
		switch {
		case p.take('-'):
			negative = !negative
			continue
		case p.take('+'):
			continue
		}
		break
	}
	n, err := p.primary()
	if err != nil || !negative {
		return n, err
	}
	return func(r *run) (float64, error) {
		v, err := r.eval(n)
		return -v, err
	}, nil
}

func (p *parser) primary() (node, error) {
	t := p.peek(0)
	p.pos++
	switch t.kind {
	case '0':
		return constant(t.value), nil
	case '(':
		n, err := p.statement()
		if err == nil && !p.take(')') {
			err = ErrSyntax
		}
		return n, err
	case 'a':
		if p.peek(0).kind == '(' {
			return p.call(t.text)
		}
		if v, ok := constants[t.text]; ok {
			return constant(v), nil
		}
		at, err := p.variable(t.text)
		return func(*run) (float64, error) { return *at, nil }, err
	}
	return nil, ErrSyntax
}

// call reads the arguments of a function; &name passes a variable itself.
func (p *parser) call(name string) (node, error) {
	f, ok := functions[name]
	if !ok {
		return nil, ErrFunction
	}
	p.pos++
	var args []node
	var refs []*float64
	for first := true; !p.take(')'); first = false {
		if !first && !p.take(',') {
			return nil, ErrSyntax
		}
		if p.take('&') {
			if p.peek(0).kind != 'a' {
				return nil, ErrSyntax
			}
			at, err := p.variable(p.peek(0).text)
			if err != nil {
				return nil, err
			}
			p.pos++
			refs = append(refs, at)
			continue
		}
		n, err := p.statement()
		if err != nil {
			return nil, err
		}
		args = append(args, n)
	}
	if len(args) < f.min || f.max >= 0 && len(args) > f.max || len(refs) != f.refs {
		return nil, ErrArgs
	}
	return func(r *run) (float64, error) { return f.eval(r, args, refs) }, nil
}
