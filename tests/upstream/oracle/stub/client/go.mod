module github.com/akuity/kargo/pkg/x/client/generated
