#include "textflag.h"

// func dot(a, b *float32, n int) float32
//
// Two sums of four lanes each: SSE, which every amd64 has.
TEXT ·dot(SB), NOSPLIT, $0-28
	MOVQ  a+0(FP), SI
	MOVQ  b+8(FP), DI
	MOVQ  n+16(FP), CX
	XORPS X0, X0
	XORPS X1, X1
	SUBQ  $8, CX
	JLT   rest

eight:
	MOVUPS (SI), X2
	MOVUPS 16(SI), X3
	MOVUPS (DI), X4
	MOVUPS 16(DI), X5
	MULPS  X4, X2
	MULPS  X5, X3
	ADDPS  X2, X0
	ADDPS  X3, X1
	ADDQ   $32, SI
	ADDQ   $32, DI
	SUBQ   $8, CX
	JGE    eight

rest:
	ADDQ   $4, CX
	JLT    sum
	MOVUPS (SI), X2
	MOVUPS (DI), X4
	MULPS  X4, X2
	ADDPS  X2, X0

sum:
	ADDPS   X1, X0
	MOVHLPS X0, X1
	ADDPS   X1, X0
	MOVAPS  X0, X1
	SHUFPS  $0x55, X1, X1
	ADDSS   X1, X0
	MOVSS   X0, ret+24(FP)
	RET
