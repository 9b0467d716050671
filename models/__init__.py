"""What is learned: preprocessing, encoders, SVD fusion, and the bundles made of them."""
