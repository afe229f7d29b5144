module tracehound/decisions

go 1.23.0

require github.com/uber/jaeger-client-go v2.30.0+incompatible

require (
	github.com/HdrHistogram/hdrhistogram-go v1.4.0 // indirect
	github.com/opentracing/opentracing-go v1.2.0 // indirect
	github.com/stretchr/objx v0.5.3 // indirect
	github.com/uber/jaeger-lib v2.4.1+incompatible // indirect
	go.uber.org/atomic v1.12.0 // indirect
)
